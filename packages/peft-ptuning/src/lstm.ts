import { uniform } from '@ift/core/peft'
import { Module, ops, Parameter, zeros, type Tensor } from '@ift/tensor'
import { encoderPrefix, type RowTensor } from './row-source.js'

/** One direction of one layer. */
class LstmDirection extends Module<[x: Tensor], readonly Tensor[]> {
  readonly weightIh: Parameter
  readonly weightHh: Parameter
  readonly biasIh: Parameter
  readonly biasHh: Parameter

  constructor(
    input: number,
    readonly hidden: number,
    /** Whether the last row is read first. */
    readonly reverse: boolean,
  ) {
    super()
    this.weightIh = new Parameter([4 * hidden, input])
    this.weightHh = new Parameter([4 * hidden, hidden])
    this.biasIh = new Parameter([4 * hidden])
    this.biasHh = new Parameter([4 * hidden])
  }

  /** The hidden state [1, hidden] at each row of x, in the order of the rows. */
  protected forward(x: Tensor): readonly Tensor[] {
    const { hidden } = this
    const [count] = x.shape as [number, number]
    // Gates in the order input, forget, cell, output.
    const inputs = ops.linear(x, this.weightIh.value, { bias: this.biasIh.value })
    const states = new Array<Tensor>(count)
    let h = zeros(x.backend, [1, hidden], 'f32')
    let c: Tensor | undefined
    for (let step = 0; step < count; step++) {
      const at = this.reverse ? count - 1 - step : step
      const recurrent = ops.linear(h, this.weightHh.value, { bias: this.biasHh.value })
      const gates = ops.add(inputs.rows(at, at + 1), recurrent).reshape(4, hidden)
      const open = ops.sigmoid(gates)
      const update = ops.mul(open.rows(0, 1), ops.tanh(gates.rows(2, 3)))
      c = c ? ops.add(ops.mul(open.rows(1, 2), c), update) : update
      h = ops.mul(open.rows(3, 4), ops.tanh(c))
      states[at] = h
    }
    return states
  }
}

export interface LstmOptions {
  readonly layers: number
  /** Between layers, while training. */
  readonly dropout: number
}

/**
 * A bidirectional LSTM (Hochreiter & Schmidhuber 1997) with the gates, biases and start of PyTorch's nn.LSTM; states begin at
 * zero. x [V, input] -> [V, 2 · hidden]: forward state, then backward state.
 */
export class Lstm extends Module<[x: Tensor], Tensor> {
  /** Of every layer forwards, then backwards. */
  readonly directions: readonly LstmDirection[]
  training = false

  constructor(
    input: number,
    readonly hidden: number,
    readonly options: LstmOptions,
  ) {
    super()
    this.directions = Array.from(
      { length: 2 * options.layers },
      (_, i) => new LstmDirection(i < 2 ? input : 2 * hidden, hidden, i % 2 === 1),
    )
  }

  /** Under PyTorch's names. */
  tensors(name: string): readonly RowTensor[] {
    const start = uniform(1 / Math.sqrt(this.hidden))
    return this.directions.flatMap(({ weightIh, weightHh, biasIh, biasHh, reverse }, i) => {
      const end = `_l${i >> 1}${reverse ? '_reverse' : ''}`
      const parameters = { weight_ih: weightIh, weight_hh: weightHh, bias_ih: biasIh, bias_hh: biasHh }
      return Object.entries(parameters).map(([of, parameter]) => ({
        name: `${encoderPrefix}${name}.${of}${end}`,
        parameter,
        start,
      }))
    })
  }

  protected forward(x: Tensor): Tensor {
    let rows = x
    for (let i = 0; i < this.directions.length; i += 2) {
      const input = i > 0 && this.training ? ops.dropout(rows, this.options.dropout) : rows
      const forwards = this.directions[i]!.call(input)
      const backwards = this.directions[i + 1]!.call(input)
      const both = forwards.flatMap((state, at) => [state, backwards[at]!])
      rows = ops.concatRows(both).reshape(forwards.length, 2 * this.hidden)
    }
    return rows
  }
}
