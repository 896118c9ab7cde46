import type { Wanted } from '../feeds.js'
import { Job, unfed, type JobOrder, type Line } from './job.js'

/** A text of which the tokens from one position on are scored. */
export interface ScoredText {
  readonly ids: ArrayLike<number>
  /** Position of the first token that is scored, 1 at least: the first of a text has nothing before it. */
  readonly from: number
}

/** Texts that differ in their last token at most, whose tokens are scored as they are fed once. */
export class ScoreJob extends Job {
  override readonly reusable: number
  readonly #fed: readonly number[]
  readonly #from: number
  /** The last token of each text. */
  readonly #lasts: readonly number[]
  readonly #found: number[] = []
  readonly #resolve: (scores: number[][]) => void
  readonly #reject: (error: unknown) => void
  /** log p of each text's tokens from `from` on. */
  readonly result: Promise<number[][]>

  /** `fed` is what the texts begin with, up to their last tokens; `from` is a position behind its first token. */
  constructor(order: JobOrder, fed: readonly number[], from: number, lasts: readonly number[]) {
    super(order)
    this.#fed = fed
    this.#from = from
    this.#lasts = lasts
    // What is scored first stands behind a token that is fed here.
    this.reusable = from
    let [resolve, reject]: [(scores: number[][]) => void, (error: unknown) => void] = [() => {}, () => {}]
    this.result = new Promise((...functions) => ([resolve, reject] = functions))
    this.#resolve = resolve
    this.#reject = reject
    // Who has cancelled it may not look.
    this.result.catch(() => undefined)
  }

  beginning(): readonly number[] {
    this.#found.length = 0
    return this.#fed
  }

  override wanted(line: Line, tokens: number): Wanted {
    const { fed } = line
    const ids: number[] = []
    const places: number[] = []
    for (let place = Math.max(0, this.#from - 1 - fed); place < tokens; place++) {
      const next = this.#fed[fed + place + 1]
      if (next === undefined) break
      ids.push(next)
      places.push(place)
    }
    if (unfed(line) === tokens)
      for (const last of this.#lasts) {
        ids.push(last)
        places.push(tokens - 1)
      }
    return ids.length === 0 ? 'nothing' : { ids, places, top: 0, next: false }
  }

  /** Takes log-probabilities of the next tokens; when they are the last, what gives the scores to who asked. */
  take(scores: Float32Array): (() => void) | null {
    this.#found.push(...scores)
    const shared = this.#fed.length - this.#from
    if (this.#found.length < shared + this.#lasts.length) return null
    return () => {
      this.#resolve(this.#lasts.map((_, i) => [...this.#found.slice(0, shared), this.#found[shared + i]!]))
    }
  }

  fail(error: unknown): void {
    this.#reject(error)
  }
}
