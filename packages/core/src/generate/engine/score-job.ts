import type { WantedLogProbs } from '../feeds.js'
import { Job, type JobOrder, type Line } from './job.js'

/** A text whose tokens are scored as it is fed. */
export class ScoreJob extends Job {
  override readonly takesPrefixes = false
  readonly #ids: readonly number[]
  readonly #found: number[] = []
  readonly #resolve: (scores: (number | null)[]) => void
  readonly #reject: (error: unknown) => void
  readonly result: Promise<(number | null)[]>

  /** `ids` has two at least: the first has nothing before it, and no score. */
  constructor(order: JobOrder, ids: ArrayLike<number>) {
    super(order)
    this.#ids = Array.from(ids)
    let [resolve, reject]: [(scores: (number | null)[]) => void, (error: unknown) => void] = [
      () => {},
      () => {},
    ]
    this.result = new Promise((...functions) => ([resolve, reject] = functions))
    this.#resolve = resolve
    this.#reject = reject
    // Who has cancelled it may not look.
    this.result.catch(() => undefined)
  }

  beginning(): readonly number[] {
    this.#found.length = 0
    return this.#ids.slice(0, -1)
  }

  override wanted({ fed }: Line, tokens: number): WantedLogProbs {
    return { ids: this.#ids.slice(fed + 1, fed + 1 + tokens), top: 0, next: false }
  }

  /** Takes log-probabilities of the next tokens; when they are the last, what gives the scores to who asked. */
  take(scores: Float32Array): (() => void) | null {
    this.#found.push(...scores)
    if (this.#found.length < this.#ids.length - 1) return null
    return () => {
      this.#resolve([null, ...this.#found])
    }
  }

  fail(error: unknown): void {
    this.#reject(error)
  }
}
