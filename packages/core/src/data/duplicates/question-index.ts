import { DigestTable, digestOf } from './digest-table.js'
import type { OverlapOptions } from './options.js'
import { OverlapWindows } from './overlap-windows.js'
import { Units } from './units.js'

/** What a text shares with a question of an evaluation. */
export interface Overlap {
  /** Number of the record of the evaluation. */
  readonly record: number
  readonly kind: 'equal' | 'overlap'
  /** What both have in common, normalised. */
  readonly text: string
}

/** Slots of the table for each run: two hashes, the first record, the last, and in how many it stands. */
const slotWords = 5

/**
 * Runs in more questions than this, and than 1 % of them, belong to the frame that the questions stand in, and say nothing about any of
 * them.
 */
const leastCommon = 10
const commonShare = 0.01

/**
 * The normalised questions of an evaluation, by their hashes: whole questions and runs of words. About 40 bytes for each word; the texts are not
 * kept. With 64 bits for a run, one in 10⁷ of texts with 10⁶ runs would match by chance in an evaluation of 10⁵ questions.
 */
export class QuestionIndex {
  readonly #units = new Units()
  readonly #windows: OverlapWindows
  readonly #whole = new DigestTable()
  #table = new Uint32Array(slotWords << 10)
  #used = 0
  #records = 0
  #common = 0

  constructor(options: OverlapOptions) {
    this.#windows = new OverlapWindows(options)
  }

  /** Records with a question. */
  get records(): number {
    return this.#records
  }

  /** Adds what the user says in a record of the evaluation; false when that has no word. */
  add(record: number, asked: readonly string[]): boolean {
    const texts = asked.filter((text) => text !== '')
    const [first] = texts
    if (first === undefined) return false
    // Later questions of a conversation, such as "Go on", are no mark of it.
    this.#whole.add(digestOf(first), record)
    for (const text of texts) {
      this.#units.read(text)
      this.#windows.read(this.#units)
      for (let i = 0; i < this.#windows.count; i++) this.#count(record, i)
    }
    this.#records++
    this.#common = Math.max(leastCommon, commonShare * this.#records)
    return true
  }

  /** What a normalised text of the training data shares with a question: the whole, or the first run of units that both have. */
  find(text: string): Overlap | null {
    if (text === '') return null
    const equal = this.#whole.get(digestOf(text))
    if (equal !== undefined) return { record: equal, kind: 'equal', text }
    this.#units.read(text)
    this.#windows.read(this.#units)
    const { starts, ends, count } = this.#windows
    for (let i = 0; i < count; i++) {
      const record = this.#recordOf(i)
      if (record === null) continue
      let last = i
      while (last + 1 < count && this.#recordOf(last + 1) !== null) last++
      const from = this.#units.starts[starts[i]!]!
      return { record, kind: 'overlap', text: text.slice(from, this.#units.ends[ends[last]! - 1]) }
    }
    return null
  }

  /** The first record with run i of the windows; null for none, and for a run that too many have. */
  #recordOf(i: number): number | null {
    const at = this.#slotOf(this.#windows.hashes[i]!, this.#windows.others[i]!)
    const records = this.#table[at + 4]!
    return records === 0 || records > this.#common ? null : this.#table[at + 2]!
  }

  #count(record: number, i: number): void {
    const [hash, other] = [this.#windows.hashes[i]!, this.#windows.others[i]!]
    const at = this.#slotOf(hash, other)
    const table = this.#table
    if (table[at + 4] !== 0) {
      if (table[at + 3] === record) return
      table[at + 3] = record
      table[at + 4]!++
      return
    }
    table.set([hash, other, record, record, 1], at)
    if (2 * slotWords * ++this.#used > table.length) this.#grow()
  }

  #slotOf(hash: number, other: number): number {
    const table = this.#table
    const slots = table.length / slotWords
    for (let slot = hash & (slots - 1); ; slot = (slot + 1) & (slots - 1)) {
      const at = slotWords * slot
      if (table[at + 4] === 0 || (table[at] === hash && table[at + 1] === other)) return at
    }
  }

  #grow(): void {
    const old = this.#table
    this.#table = new Uint32Array(2 * old.length)
    for (let at = 0; at < old.length; at += slotWords)
      if (old[at + 4] !== 0)
        this.#table.set(old.subarray(at, at + slotWords), this.#slotOf(old[at]!, old[at + 1]!))
  }
}
