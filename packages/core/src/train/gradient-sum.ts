import { keep, zeros, type Tensor } from '@ift/tensor'
import type { TrainableChunk } from './trainable-chunk.js'
import type { Ranks } from '../distributed/ranks.js'

/** Numbers that travel behind the gradients. */
export interface StepNumbers {
  /** f32 [1]: the rank's share of the loss; becomes that of the step. */
  readonly loss: Tensor
  /** What this rank counts, such as its wish to stop. */
  readonly counts: readonly number[]
}

/** Sums over ranks at the end of a step: the gradients where they lie, one all-reduce a chunk, and a few numbers. */
export class GradientSum {
  readonly #numbers: Tensor

  constructor(
    readonly ranks: Ranks,
    readonly chunks: readonly TrainableChunk[],
    readonly counts: number,
  ) {
    this.#numbers = keep(zeros(ranks.backend, [1 + counts], 'f32'))
  }

  /** Queues the sum over ranks of gradients, loss and counts; the counts are f32 [counts], for the caller to release. */
  reduce({ loss, counts }: StepNumbers): Tensor {
    const { backend, comm } = this.ranks
    for (const { parameters, gradients } of this.chunks) {
      // A parameter that no sample of this rank has reached may have a gradient on another.
      for (const { parameter } of parameters) {
        parameter.gradient()
        parameter.settleGradient()
      }
      comm.allReduce(gradients.buf, gradients.size, 'f32', 'sum')
    }
    const copy = (to: Tensor, from: Tensor, offset: number, n: number) => {
      backend.copy2d(to.buf, 0, n, from.buf, offset, n, 1, n, 'f32', 0)
    }
    const numbers = this.#numbers
    copy(numbers, loss, 0, 1)
    backend.write(numbers.buf, Float32Array.from(counts), 4)
    comm.allReduce(numbers.buf, numbers.size, 'f32', 'sum')
    copy(loss, numbers, 0, 1)
    const sums = keep(zeros(backend, [this.counts], 'f32'))
    copy(sums, numbers, 1, this.counts)
    return sums
  }

  release(): void {
    this.#numbers.release()
  }
}
