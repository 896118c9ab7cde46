import { Linear, ops, Parameter, type Tensor } from '@ift/tensor'
import { Lstm, type LstmOptions } from './lstm.js'
import { embeddingTensor, linearTensors, RowSource, type RowTensor } from './row-source.js'

/** A bidirectional LSTM and two linear layers over a table of the rows' own width (PEFT's PromptEncoder, LSTM). */
export class LstmEncoder extends RowSource {
  override readonly stochastic: boolean
  readonly embedding: Parameter
  readonly lstm: Lstm
  readonly layers: readonly [Linear, Linear]

  constructor(count: number, width: number, hidden: number, options: LstmOptions) {
    super()
    this.stochastic = options.layers > 1 && options.dropout > 0
    this.embedding = new Parameter([count, width])
    this.lstm = new Lstm(width, hidden, options)
    this.layers = [
      new Linear(2 * hidden, 2 * hidden, { bias: true }),
      new Linear(2 * hidden, width, { bias: true }),
    ]
  }

  tensors(): readonly RowTensor[] {
    const [first, last] = this.layers
    return [
      embeddingTensor(this.embedding),
      ...this.lstm.tensors('lstm_head'),
      ...linearTensors('mlp_head.0', first),
      ...linearTensors('mlp_head.2', last),
    ]
  }

  protected forward(): Tensor {
    const [first, last] = this.layers
    this.lstm.training = this.training
    return last.call(ops.relu(first.call(this.lstm.call(this.embedding.value))))
  }
}
