import { moments, type Estimate } from './estimate.js'
import { t95 } from './t-quantile.js'

/** The mean of independent values with Student's 95 % interval: mean ± t · sd / √n. Takes at least one value. */
export function tInterval(values: ArrayLike<number>): Estimate {
  const { mean, variance } = moments(values)
  const n = values.length
  if (variance === null) return { mean, se: null, low: null, high: null, n, method: 't' }
  const se = Math.sqrt(variance / n)
  const half = t95(n - 1) * se
  return { mean, se, low: mean - half, high: mean + half, n, method: 't' }
}
