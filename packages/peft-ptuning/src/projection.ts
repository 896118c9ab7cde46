import type { Start } from '@ift/core/peft'
import { Linear, ops, Parameter, type Tensor } from '@ift/tensor'
import { embeddingTensor, linearTensors, RowSource, type RowTensor } from './row-source.js'

export interface ProjectionSizes {
  /** Virtual tokens. */
  readonly count: number
  /** Of the table. */
  readonly input: number
  readonly hidden: number
  /** Of a row: keys and values of all layers. */
  readonly width: number
}

/** Two linear layers with tanh between them over a narrow table (Li & Liang 2021; PEFT's prefix_projection). */
export class Projection extends RowSource {
  readonly embedding: Parameter
  readonly layers: readonly [Linear, Linear]

  constructor(
    { count, input, hidden, width }: ProjectionSizes,
    /** Of the last layer; PyTorch's where absent. */
    readonly start?: Start,
  ) {
    super()
    this.embedding = new Parameter([count, input])
    this.layers = [new Linear(input, hidden, { bias: true }), new Linear(hidden, width, { bias: true })]
  }

  tensors(): readonly RowTensor[] {
    const [first, last] = this.layers
    return [
      embeddingTensor(this.embedding),
      ...linearTensors('transform.0', first),
      ...linearTensors('transform.2', last, this.start),
    ]
  }

  protected forward(): Tensor {
    const [first, last] = this.layers
    return last.call(ops.tanh(first.call(this.embedding.value)))
  }
}
