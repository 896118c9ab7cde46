import { keep, zeros, type Tensor } from '@ift/tensor'
import type { TrainableChunk } from './trainable-chunk.js'
import type { Ranks } from '../distributed/ranks.js'

/** Numbers that travel behind the gradients. */
export interface StepNumbers {
  /** Of the loss and the penalty, each f32 [1]: the rank's share; becomes that of the step. */
  readonly shares: readonly Tensor[]
  /** What this rank counts, such as its wish to stop. */
  readonly counts: readonly number[]
}

/** Sums over ranks at the end of a step: the gradients where they lie, one all-reduce a chunk, and a few numbers. */
export class GradientSum {
  readonly #numbers: Tensor

  constructor(
    readonly ranks: Ranks,
    readonly chunks: readonly TrainableChunk[],
    readonly shares: number,
    readonly counts: number,
  ) {
    this.#numbers = keep(zeros(ranks.backend, [shares + counts], 'f32'))
  }

  /** Queues the sum over ranks of gradients, shares and counts; the counts are f32 [counts], for the caller to release. */
  reduce({ shares, counts }: StepNumbers): Tensor {
    const { backend, comm } = this.ranks
    for (const { parameters, gradients } of this.chunks) {
      // A parameter that no sample of this rank has reached may have a gradient on another.
      for (const { parameter } of parameters) {
        parameter.gradient()
        parameter.settleGradient()
      }
      comm.allReduce(gradients.buf, gradients.size, 'f32', 'sum')
    }
    const numbers = this.#numbers
    for (const [i, share] of shares.entries())
      backend.copy2d(numbers.buf, i, 1, share.buf, 0, 1, 1, 1, 'f32', 0)
    backend.write(numbers.buf, Float32Array.from(counts), 4 * shares.length)
    comm.allReduce(numbers.buf, numbers.size, 'f32', 'sum')
    const take = (to: Tensor, offset: number) => {
      backend.copy2d(to.buf, 0, to.size, numbers.buf, offset, to.size, 1, to.size, 'f32', 0)
    }
    for (const [i, share] of shares.entries()) take(share, i)
    const sums = keep(zeros(backend, [this.counts], 'f32'))
    take(sums, shares.length)
    return sums
  }

  release(): void {
    this.#numbers.release()
  }
}
