import type { Estimate } from './estimate.js'
import { tInterval } from './t-interval.js'
import { wilson } from './wilson.js'

/**
 * The mean of the scores of independent items, with the interval that fits them: Wilson's where each is 0 or 1, else Student's. Null
 * where there is no score.
 */
export function meanOf(scores: readonly number[]): Estimate | null {
  if (scores.length === 0) return null
  if (scores.every((score) => score === 0 || score === 1))
    return wilson(scores.filter((score) => score === 1).length, scores.length)
  return tInterval(scores)
}
