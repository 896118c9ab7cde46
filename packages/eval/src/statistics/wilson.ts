import { z95, type Estimate } from './estimate.js'

/**
 * The share of `successes` among `n` ≥ 1 with the 95 % interval of Wilson (1927), which stays within [0, 1] and does not vanish where
 * all or none succeed. `se` is the sample's, √(p (1 − p) / (n − 1)), as lm-evaluation-harness reports it.
 */
export function wilson(successes: number, n: number): Estimate {
  const p = successes / n
  const z2 = z95 * z95
  const centre = (p + z2 / (2 * n)) / (1 + z2 / n)
  const half = (z95 / (1 + z2 / n)) * Math.sqrt((p * (1 - p)) / n + z2 / (4 * n * n))
  return {
    mean: p,
    se: n > 1 ? Math.sqrt((p * (1 - p)) / (n - 1)) : null,
    // At the ends the formula gives the end itself, but for rounding.
    low: successes === 0 ? 0 : centre - half,
    high: successes === n ? 1 : centre + half,
    n,
    method: 'wilson',
  }
}
