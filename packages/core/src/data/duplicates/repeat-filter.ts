import { DigestTable, digestOf } from './digest-table.js'
import { NearIndex } from './near-index.js'
import type { RepeatOptions } from './options.js'
import { separator, type ComparedTexts } from './texts.js'
import { Units } from './units.js'

/** An example that repeats an earlier one. */
export interface Repeat {
  readonly kind: 'exact' | 'near'
  /** Number of the example that is kept in its place. */
  readonly of: number
  /** Jaccard similarity of the shingles; 1 for equal texts. */
  readonly similarity: number
}

/**
 * Finds examples that repeat an earlier one, in one pass. The first of them is always kept, and every other one is compared with
 * those that are kept: equal texts first, then near ones, so that what is taken out is like something that stays.
 */
export class RepeatFilter {
  readonly #equal = new DigestTable()
  /** Places in `#repeats` of texts that are near to one that is kept, so that their equals are found. */
  readonly #alike = new DigestTable()
  readonly #repeats: Repeat[] = []
  readonly #near: NearIndex | null
  /** Numbers of the examples in `#near`. */
  readonly #kept: number[] = []
  readonly #units = new Units()
  readonly #byQuestion: boolean

  constructor({ by, near }: RepeatOptions) {
    this.#byQuestion = by === 'question'
    this.#near = near && new NearIndex(near)
  }

  get findsNear(): boolean {
    return this.#near !== null
  }

  /** Examples that had so many candidates that not all were compared. */
  get crowded(): number {
    return this.#near?.crowded ?? 0
  }

  /**
   * Whether the example with this number, above those of all before, repeats one; null for one that stays. Texts are normalised.
   */
  see(number: number, { frame, question, answer }: ComparedTexts): Repeat | null {
    const parts = this.#byQuestion ? question : [...question, answer]
    if (parts.every((part) => part === '')) return null
    const whole = digestOf([frame, ...parts].join(separator))
    const of = this.#equal.get(whole)
    if (of !== undefined) return { kind: 'exact', of, similarity: 1 }
    const near = this.#near
    if (!near) {
      this.#equal.add(whole, number)
      return null
    }
    const known = this.#alike.get(whole)
    if (known !== undefined) return this.#repeats[known]!
    this.#units.read('')
    for (const part of parts) this.#units.append(part)
    near.read(this.#units)
    const match = near.first()
    if (match) {
      const { entry, similarity } = match
      const repeat: Repeat = { kind: 'near', of: this.#kept[entry]!, similarity }
      this.#alike.add(whole, this.#repeats.length)
      this.#repeats.push(repeat)
      return repeat
    }
    this.#equal.add(whole, number)
    this.#kept.push(number)
    near.add()
    return null
  }
}
