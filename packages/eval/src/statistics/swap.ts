import { DataRandom } from '@ift/core'

/**
 * Approximate randomisation (Noreen, 1989; for BLEU Riezler and Maxwell, 2005): were two systems the same, the answers to each item could
 * as well be exchanged. `difference` gives the difference of a statistic of both corpora where the items whose flag is 1 are exchanged. p is the
 * share of `draws` seeded exchanges that are at least as far from 0, the data counted as one of them.
 */
export function swapTest(
  n: number,
  difference: (swapped: Uint8Array) => number,
  { draws = 1000, seed = 0 } = {},
): number {
  const swapped = new Uint8Array(n)
  const found = Math.abs(difference(swapped))
  // The same numbers summed in another order differ by rounding.
  const atLeast = found - 1e-12 * Math.max(1, found)
  const random = new DataRandom('swap', seed)
  let hits = 0
  for (let draw = 0; draw < draws; draw++) {
    let bits = 0
    for (let i = 0; i < n; i++) {
      if (i % 32 === 0) bits = random.bits()
      swapped[i] = bits & 1
      bits >>>= 1
    }
    if (Math.abs(difference(swapped)) >= atLeast) hits++
  }
  return (hits + 1) / (draws + 1)
}
