import {
  bootstrap,
  itemsNeeded,
  mcnemar,
  pairedDifference,
  signFlip,
  swapTest,
  type PairedDifference,
} from './statistics/index.js'

/** How much more the first of two runs scores on the same items. */
export interface ScoreDifference extends PairedDifference {
  /** Chance of a difference of this size between two that are the same. */
  readonly p: number
  /**
   * McNemar's exact test for shares; flipped signs for other means, and of whole clusters where items share something; exchanged answers for
   * numbers of a corpus.
   */
  readonly test: 'mcnemar' | 'sign-flip' | 'swap'
  /** Items on which a true difference of this size would be found with a chance of 80 %; null for none. */
  readonly needed: number | null
}

/**
 * The difference of two means of scores, item by item. `clusters` says what an item shares something with, null for nothing; `isShare`, that
 * scores are 0 or 1.
 */
export function meanDifference(
  first: readonly number[],
  second: readonly number[],
  { clusters: shared, isShare }: { readonly clusters: readonly (string | null)[]; readonly isShare: boolean },
): ScoreDifference {
  const clusters = shared.map((cluster, i) => cluster ?? `#${i}`)
  const sums = new Map<string, number>()
  for (const [i, cluster] of clusters.entries())
    sums.set(cluster, (sums.get(cluster) ?? 0) + first[i]! - second[i]!)
  const isClustered = sums.size < clusters.length
  const difference = pairedDifference(first, second, isClustered ? clusters : undefined)
  const { mean, sd } = difference
  const isExact = isShare && !isClustered
  return {
    ...difference,
    p: isExact ? mcnemar(first, second).p : signFlip([...sums.values()]).p,
    test: isExact ? 'mcnemar' : 'sign-flip',
    needed: mean === 0 || sd === null || sd === 0 || isClustered ? null : itemsNeeded(mean, sd),
  }
}

/** The difference of a number that `of` computes from the sums of all items' lists, by bootstrap and by exchanged answers. */
export function corpusDifference(
  of: (sums: readonly number[]) => number,
  first: readonly (readonly number[])[],
  second: readonly (readonly number[])[],
): ScoreDifference {
  const difference = (items: Int32Array, swapped?: Uint8Array) => {
    const sums: [number[], number[]] = [[], []]
    for (const item of items)
      for (const side of [0, 1] as const) {
        const isFirst = (side === 0) !== (swapped?.[item] === 1)
        for (const [i, part] of (isFirst ? first : second)[item]!.entries())
          sums[side][i] = (sums[side][i] ?? 0) + part
      }
    return of(sums[0]) - of(sums[1])
  }
  const all = Int32Array.from(first.keys())
  const found = bootstrap(first.length, (items) => difference(items))
  const p = swapTest(first.length, (swapped) => difference(all, swapped))
  return { ...found, sd: null, p, test: 'swap', needed: null }
}
