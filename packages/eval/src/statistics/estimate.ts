/** z of a two-sided 95 % interval: `scipy.stats.norm.ppf(0.975)`. */
export const z95 = 1.959963984540054

/** A mean with its 95 % confidence interval. Every field can be written as JSON. */
export interface Estimate {
  readonly mean: number
  /** Standard error of the mean; null where one value alone says nothing about it. */
  readonly se: number | null
  /** Ends of the 95 % interval; null with `se`, except for shares, which have an interval for one value too. */
  readonly low: number | null
  readonly high: number | null
  /** Values that the mean is of. */
  readonly n: number
  readonly method: 'wilson' | 't' | 'clustered' | 'macro' | 'pooled' | 'bootstrap'
}

/** Mean, and the sample's variance (divided by n − 1; null for one value), in two passes. */
export function moments(values: ArrayLike<number>): { mean: number; variance: number | null } {
  const n = values.length
  let sum = 0
  for (let i = 0; i < n; i++) sum += values[i]!
  const mean = sum / n
  let squares = 0
  for (let i = 0; i < n; i++) squares += (values[i]! - mean) ** 2
  return { mean, variance: n > 1 ? squares / (n - 1) : null }
}
