import { hash } from 'node:crypto'

/**
 * Texts by 128 bits of their SHA-256, each with a number: 20 bytes for a text, and up to 40 for its place in the table. Two texts with one
 * digest are the same text, as nothing else is known to have one.
 */
export class DigestTable {
  /** Digest and number of slot i are `words[5i … 5i + 4]`; the number is one more than it was, and 0 in an empty slot. */
  #words = new Uint32Array(5 << 10)
  #count = 0

  /** The number that the text is known by; undefined for a new one. */
  get(digest: Uint32Array): number | undefined {
    const value = this.#words[this.#slotOf(digest) + 4]!
    return value === 0 ? undefined : value - 1
  }

  /** The number that the text is known by; a new one gets `value`, and undefined is returned. */
  add(digest: Uint32Array, value: number): number | undefined {
    // Two thirds full.
    if (15 * this.#count >= 2 * this.#words.length) this.#grow()
    const slot = this.#slotOf(digest)
    const found = this.#words[slot + 4]!
    if (found !== 0) return found - 1
    this.#words.set(digest, slot)
    this.#words[slot + 4] = value + 1
    this.#count++
    return undefined
  }

  /** Where the digest stands, or where there is room for it. */
  #slotOf(digest: Uint32Array): number {
    const words = this.#words
    const slots = words.length / 5
    for (let slot = digest[0]! & (slots - 1); ; slot = (slot + 1) & (slots - 1)) {
      const at = 5 * slot
      if (words[at + 4] === 0) return at
      if (
        words[at] === digest[0] &&
        words[at + 1] === digest[1] &&
        words[at + 2] === digest[2] &&
        words[at + 3] === digest[3]
      )
        return at
    }
  }

  #grow(): void {
    const old = this.#words
    this.#words = new Uint32Array(2 * old.length)
    for (let at = 0; at < old.length; at += 5)
      if (old[at + 4] !== 0) {
        const entry = old.subarray(at, at + 5)
        this.#words.set(entry, this.#slotOf(entry))
      }
  }
}

/** The first 128 bits of the SHA-256 of a text. */
export function digestOf(text: string): Uint32Array {
  const bytes = hash('sha256', text, 'buffer')
  return Uint32Array.of(
    bytes.readUInt32LE(0),
    bytes.readUInt32LE(4),
    bytes.readUInt32LE(8),
    bytes.readUInt32LE(12),
  )
}
