import { DataRandom } from '../random.js'

/**
 * MinHash (Broder 1997) by affine permutations of 32-bit hashes, x → a·x + b mod 2³² with odd a: the scheme `affine32` of datasketch 2,
 * whose values for the same permutations are the same.
 */
export class MinHash {
  /** Odd multipliers and summands, one of each for a permutation. */
  readonly multipliers: Int32Array
  readonly summands: Int32Array
  /** The least value of each permutation over the set that was read last. */
  readonly signature: Uint32Array

  constructor(readonly permutations: number) {
    const random = new DataRandom('minhash', permutations)
    this.multipliers = Int32Array.from({ length: permutations }, () => random.bits() | 1)
    this.summands = Int32Array.from({ length: permutations }, () => random.bits())
    this.signature = new Uint32Array(permutations)
  }

  /** Reads the first `count` of mixed hashes; none gives the largest values. */
  read(values: Uint32Array, count: number): void {
    const { multipliers, summands, signature } = this
    for (let p = 0; p < signature.length; p++) {
      const a = multipliers[p]!
      // Shifted by half of the range, unsigned values compare as signed ones, which the processor does at once.
      const b = summands[p]! ^ 0x80000000
      let least = 0x7fffffff
      for (let i = 0; i < count; i++) {
        const value = (Math.imul(a, values[i]!) + b) | 0
        if (value < least) least = value
      }
      signature[p] = least ^ 0x80000000
    }
  }
}
