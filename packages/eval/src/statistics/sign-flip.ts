import { DataRandom } from '@ift/core'

/** Items up to which all 2^n signs are tried, as many as draws are made otherwise. */
const enumerated = 13

export interface SignFlip {
  /** Two-sided. */
  readonly p: number
  /** Whether all signs were tried, or only drawn. */
  readonly exact: boolean
}

/**
 * The permutation test of paired differences (Fisher, 1935): were the two the same, each difference could as well have the other sign.
 * p is the share of signs that give a sum at least as far from 0; all of them up to 13 items, else `draws` seeded ones, of which the
 * data are counted as one, so p is never 0.
 */
export function signFlip(differences: readonly number[], { draws = 10_000, seed = 0 } = {}): SignFlip {
  const sizes = differences.map(Math.abs).filter((size) => size > 0)
  const found = Math.abs(differences.reduce((sum, one) => sum + one, 0))
  // Sums of the same numbers in another order differ by rounding.
  const atLeast = found - 1e-12 * sizes.reduce((sum, size) => sum + size, 0)
  let hits = 0
  if (sizes.length <= enumerated) {
    const all = 2 ** sizes.length
    for (let signs = 0; signs < all; signs++) {
      let sum = 0
      for (const [i, size] of sizes.entries()) sum += signs & (1 << i) ? size : -size
      if (Math.abs(sum) >= atLeast) hits++
    }
    return { p: hits / all, exact: true }
  }
  const random = new DataRandom('sign-flip', seed)
  for (let draw = 0; draw < draws; draw++) {
    let [sum, bits] = [0, 0]
    for (const [i, size] of sizes.entries()) {
      if (i % 32 === 0) bits = random.bits()
      sum += bits & 1 ? size : -size
      bits >>>= 1
    }
    if (Math.abs(sum) >= atLeast) hits++
  }
  return { p: (hits + 1) / (draws + 1), exact: false }
}
