/** Grows by doubling. */
const grown = <A extends Int32Array | Uint32Array>(array: A, length: number): A => {
  if (array.length >= length) return array
  const copy = new (array.constructor as new (length: number) => A)(Math.max(length, 2 * array.length))
  copy.set(array)
  return copy
}

/**
 * The most entries with one band that are candidates. More of them have a long text in common and nothing else, and to compare each new one
 * with all of them would take a time that grows with the square of their number.
 */
const mostInBand = 128

/**
 * Locality-sensitive hashing of signatures (Indyk and Motwani 1998): a signature is cut into bands, and those that have a band in common
 * are candidates. 8 bytes for each band of an entry, and 4 to 8 for its place in the table.
 */
export class BandTable {
  readonly #bands: number
  readonly #rows: number
  /** Band k of entry e is number `e · bands + k` in the lists. */
  #keys = new Uint32Array(1 << 12)
  #next = new Int32Array(1 << 12)
  #heads = new Int32Array(1 << 12).fill(-1)
  #count = 0
  readonly #own: Uint32Array

  /** `bands` must divide the length of the signatures. */
  constructor(signatureLength: number, bands: number) {
    this.#bands = bands
    this.#rows = signatureLength / bands
    this.#own = new Uint32Array(bands)
  }

  /** Entries so far; they are numbered in the order in which they were added. */
  get count(): number {
    return this.#count / this.#bands
  }

  /** Sets the signature that `candidates` and `add` are about. */
  set signature(values: Uint32Array) {
    for (let band = 0; band < this.#bands; band++) {
      // The number of the band, so that all of them share a table.
      let hash = Math.imul(band + 1, 0x9e3779b1)
      for (let i = band * this.#rows; i < (band + 1) * this.#rows; i++) {
        hash = Math.imul(hash ^ values[i]!, 0x85ebca6b)
        hash ^= hash >>> 15
      }
      this.#own[band] = Math.imul(hash, 0xc2b2ae35)
    }
  }

  /**
   * Entries with a band of the signature, ascending: of each band the last 128, and whether there are more. Equal hashes of other bands
   * give some that have none.
   */
  candidates(): { readonly entries: readonly number[]; readonly crowded: boolean } {
    const found = new Set<number>()
    let crowded = false
    for (const key of this.#own) {
      let left = mostInBand
      for (let at = this.#heads[this.#slot(key)]!; at >= 0; at = this.#next[at]!) {
        if (this.#keys[at] !== key) continue
        if (left-- === 0) {
          crowded = true
          break
        }
        found.add(Math.floor(at / this.#bands))
      }
    }
    return { entries: [...found].sort((a, b) => a - b), crowded }
  }

  /** Adds the signature; returns its number. */
  add(): number {
    const entry = this.count
    this.#keys = grown(this.#keys, this.#count + this.#bands)
    this.#next = grown(this.#next, this.#count + this.#bands)
    for (const key of this.#own) {
      this.#keys[this.#count] = key
      this.#link(this.#count++)
    }
    if (this.#count > this.#heads.length) {
      this.#heads = new Int32Array(2 * this.#heads.length).fill(-1)
      for (let at = 0; at < this.#count; at++) this.#link(at)
    }
    return entry
  }

  #slot(key: number): number {
    // Low bits: the length is a power of two, and the last multiplication leaves them the least mixed.
    return (key ^ (key >>> 16)) & (this.#heads.length - 1)
  }

  #link(at: number): void {
    const slot = this.#slot(this.#keys[at]!)
    this.#next[at] = this.#heads[slot]!
    this.#heads[slot] = at
  }
}
