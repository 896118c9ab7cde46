import { keep, zeros, type Parameter, type Tensor } from '@ift/tensor'
import type { Ranks } from './ranks.js'

/** Numbers that travel behind the gradients. */
export interface StepNumbers {
  /** f32 [1]: the rank's share of the loss; becomes that of the step. */
  readonly loss: Tensor
  /** What this rank counts, such as its wish to stop. */
  readonly counts: readonly number[]
}

/** The gradients of all trained parameters end to end: one all-reduce a step. */
export class GradientBucket {
  readonly #flat: Tensor
  readonly #offsets: readonly number[]

  constructor(
    readonly ranks: Ranks,
    readonly parameters: readonly Parameter[],
    readonly counts: number,
  ) {
    let size = 0
    this.#offsets = parameters.map((parameter) => {
      const offset = size
      size += parameter.shape.reduce((a, b) => a * b, 1)
      return offset
    })
    this.#flat = keep(zeros(ranks.backend, [size + 1 + counts], 'f32'))
  }

  /** Queues the sum over ranks of gradients, loss and counts; the counts are f32 [counts], for the caller to release. */
  reduce({ loss, counts }: StepNumbers): Tensor {
    const { backend, comm } = this.ranks
    const flat = this.#flat
    const tail = flat.size - 1 - this.counts
    const copy = (to: Tensor, toOffset: number, from: Tensor, fromOffset: number, n: number) => {
      backend.copy2d(to.buf, toOffset, n, from.buf, fromOffset, n, 1, n, 'f32', 0)
    }
    for (const [i, parameter] of this.parameters.entries()) {
      const grad = parameter.gradient()
      copy(flat, this.#offsets[i]!, grad, 0, grad.size)
    }
    copy(flat, tail, loss, 0, 1)
    backend.write(flat.buf, Float32Array.from(counts), (tail + 1) * 4)
    comm.allReduce(flat.buf, flat.size, 'f32', 'sum')
    for (const [i, parameter] of this.parameters.entries()) {
      const grad = parameter.gradient()
      copy(grad, 0, flat, this.#offsets[i]!, grad.size)
    }
    copy(loss, 0, flat, tail, 1)
    const sums = keep(zeros(backend, [this.counts], 'f32'))
    copy(sums, 0, flat, tail + 1, this.counts)
    return sums
  }

  release(): void {
    this.#flat.release()
  }
}
