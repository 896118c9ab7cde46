import { randomInt } from 'node:crypto'

/** Odd, and another one in each process: a file cannot be made of texts of one hash. */
const factor = (randomInt(2 ** 31 - 1) * 2 + 1) | 0

/**
 * Texts by their parts: a table of hashes that tells for every beginning and every end of a text whether it is one of them, without making the
 * part. Places are those of the list, which has no text twice.
 */
export class PieceTable {
  readonly #texts: readonly string[]
  /** Places by hash, -1 where there is none; the next slot is tried where another text has it. */
  readonly #slots: Int32Array
  readonly #hashes: Int32Array
  readonly #powers: Int32Array
  /** Of the beginnings of the text in hand. */
  readonly #before: Int32Array

  constructor(texts: readonly string[]) {
    this.#texts = texts
    const longest = texts.reduce((most, { length }) => Math.max(most, length), 0)
    this.#powers = new Int32Array(longest + 1).fill(1)
    for (let i = 1; i <= longest; i++) this.#powers[i] = Math.imul(this.#powers[i - 1]!, factor)
    this.#before = new Int32Array(longest + 1)
    this.#hashes = new Int32Array(texts.length)
    this.#slots = new Int32Array(2 ** Math.ceil(Math.log2(2 * texts.length + 2))).fill(-1)
    for (const [place, text] of texts.entries()) {
      let hash = 0
      for (let i = 0; i < text.length; i++) hash = step(hash, text.charCodeAt(i))
      this.#hashes[place] = hash
      let slot = this.#slotOf(hash)
      while (this.#slots[slot]! >= 0) slot = (slot + 1) & (this.#slots.length - 1)
      this.#slots[slot] = place
    }
  }

  /** Calls `found` with the places of both halves of every way to cut a text of the list into two, the longer first half first. */
  eachSplit(text: string, found: (left: number, right: number) => void): void {
    const before = this.#before
    const { length } = text
    for (let i = 0; i < length; i++) before[i + 1] = step(before[i]!, text.charCodeAt(i))
    let end = 0
    for (let at = length - 1; at > 0; at--) {
      end = (Math.imul(text.charCodeAt(at), this.#powers[length - at - 1]!) + end) | 0
      const left = this.#find(before[at]!, at, (one) => text.startsWith(one))
      if (left < 0) continue
      const right = this.#find(end, length - at, (one) => text.endsWith(one))
      if (right >= 0) found(left, right)
    }
  }

  #slotOf(hash: number): number {
    // Of short texts the low bits alone are close together.
    return (Math.imul(hash, 0x9e3779b1) >>> 7) & (this.#slots.length - 1)
  }

  #find(hash: number, length: number, isPart: (text: string) => boolean): number {
    for (let slot = this.#slotOf(hash); ; slot = (slot + 1) & (this.#slots.length - 1)) {
      const place = this.#slots[slot]!
      if (place < 0) return -1
      if (this.#hashes[place] !== hash) continue
      const text = this.#texts[place]!
      if (text.length === length && isPart(text)) return place
    }
  }
}

const step = (hash: number, unit: number) => (Math.imul(hash, factor) + unit) | 0
