import { Linear, ops, Parameter, type Tensor } from '@ift/tensor'
import { embeddingTensor, linearTensors, RowSource, type RowTensor } from './row-source.js'

/** Three linear layers with ReLU between them over a table of the rows' own width (PEFT's PromptEncoder, MLP). */
export class MlpEncoder extends RowSource {
  readonly embedding: Parameter
  readonly layers: readonly [Linear, Linear, Linear]

  constructor(count: number, width: number, hidden: number) {
    super()
    this.embedding = new Parameter([count, width])
    this.layers = [
      new Linear(width, hidden, { bias: true }),
      new Linear(hidden, hidden, { bias: true }),
      new Linear(hidden, width, { bias: true }),
    ]
  }

  tensors(): readonly RowTensor[] {
    // In PyTorch's chain every second module is a ReLU.
    const linears = this.layers.flatMap((linear, i) => linearTensors(`mlp_head.${2 * i}`, linear))
    return [embeddingTensor(this.embedding), ...linears]
  }

  protected forward(): Tensor {
    const [first, second, last] = this.layers
    const hidden = ops.relu(first.call(this.embedding.value))
    return last.call(ops.relu(second.call(hidden)))
  }
}
