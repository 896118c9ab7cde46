import type { OverlapOptions } from './options.js'
import { mix, type Units } from './units.js'

const base = 0x915f77f5
const otherBase = 0xd1342543

/**
 * The runs of units of a text that are long enough to be no chance: so many words, so many characters of a script without spaces, or of
 * both in proportion. From every unit one run begins, unless the text ends before.
 */
export class OverlapWindows {
  count = 0
  /** First unit of run i, and the unit behind its last. */
  starts = new Int32Array(1024)
  ends = new Int32Array(1024)
  /** 64 bits of hash for each. */
  hashes = new Uint32Array(1024)
  others = new Uint32Array(1024)
  readonly #options: OverlapOptions
  /** Hashes of the first i units, and the powers that they are taken apart with. */
  #sums = new Int32Array(0)
  #otherSums = new Int32Array(0)
  readonly #powers: Int32Array
  readonly #otherPowers: Int32Array

  constructor(options: OverlapOptions) {
    this.#options = options
    const most = Math.max(options.words, options.characters) + 1
    const powers = (of: number) => {
      const list = new Int32Array(most + 1).fill(1)
      for (let i = 1; i <= most; i++) list[i] = Math.imul(list[i - 1]!, of)
      return list
    }
    this.#powers = powers(base)
    this.#otherPowers = powers(otherBase)
  }

  read(units: Units): void {
    const { words, characters } = this.#options
    this.#reserve(units.count)
    const [sums, otherSums] = [this.#sums, this.#otherSums]
    for (let i = 0; i < units.count; i++) {
      sums[i + 1] = (Math.imul(sums[i]!, base) + units.hashes[i]!) | 0
      otherSums[i + 1] = (Math.imul(otherSums[i]!, otherBase) + units.others[i]!) | 0
    }
    // A word weighs `characters` and a character `words`: `words` words, or `characters` characters, make the product.
    const enough = words * characters
    const weight = (unit: number) => (units.single[unit] === 1 ? words : characters)
    this.count = 0
    for (let start = 0, end = 0, sum = 0; start < units.count; start++) {
      while (sum < enough && end < units.count) sum += weight(end++)
      if (sum < enough) return
      const length = end - start
      const at = this.count++
      this.starts[at] = start
      this.ends[at] = end
      this.hashes[at] = mix(sums[end]! - Math.imul(sums[start]!, this.#powers[length]!))
      this.others[at] = mix(otherSums[end]! - Math.imul(otherSums[start]!, this.#otherPowers[length]!))
      sum -= weight(start)
    }
  }

  #reserve(units: number): void {
    if (this.#sums.length > units) return
    const length = 2 * Math.max(512, units)
    this.#sums = new Int32Array(length + 1)
    this.#otherSums = new Int32Array(length + 1)
    this.starts = new Int32Array(length)
    this.ends = new Int32Array(length)
    this.hashes = new Uint32Array(length)
    this.others = new Uint32Array(length)
  }
}
