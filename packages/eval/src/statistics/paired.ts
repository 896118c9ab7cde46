import { clustered } from './clustered.js'
import { moments, type Estimate } from './estimate.js'
import { tInterval } from './t-interval.js'

/** How much the first of two scores more on the same items. */
export interface PairedDifference extends Estimate {
  /** Standard deviation of the differences, for `itemsNeeded`; null for one item. */
  readonly sd: number | null
}

/**
 * The mean of `first[i] − second[i]`, two scores of one item, with its own standard error: what both find easy or hard cancels out, so it
 * is smaller than that of two means by themselves. With `clusters`, items of a group may depend on each other.
 */
export function pairedDifference(
  first: readonly number[],
  second: readonly number[],
  clusters?: readonly (string | number)[],
): PairedDifference {
  const differences = first.map((score, i) => score - second[i]!)
  const { variance } = moments(differences)
  const estimate = clusters ? clustered(differences, clusters) : tInterval(differences)
  return { ...estimate, sd: variance === null ? null : Math.sqrt(variance) }
}
