import type { Estimate } from './estimate.js'

const rootOfSquares = (values: readonly number[]) =>
  Math.sqrt(values.reduce((sum, value) => sum + value * value, 0))

/**
 * The mean of the means of k independent parts, each of which counts the same: classes, fields, subjects. se = √(Σ se²) / k. The
 * interval combines the distances from each mean to the ends of its own interval in the same way (the method of variance estimates
 * recovery: Zou and Donner, 2008), so it is as wide as Wilson's are where every item of a part has one score. Null without parts.
 */
export function macroMean(parts: readonly Estimate[]): Estimate | null {
  const k = parts.length
  if (k === 0) return null
  const mean = parts.reduce((sum, part) => sum + part.mean, 0) / k
  const n = parts.reduce((sum, part) => sum + part.n, 0)
  const [errors, below, above]: [number[], number[], number[]] = [[], [], []]
  for (const { mean: own, se, low, high } of parts) {
    if (se !== null) errors.push(se)
    if (low !== null && high !== null) {
      below.push(own - low)
      above.push(high - own)
    }
  }
  return {
    mean,
    se: errors.length === k ? rootOfSquares(errors) / k : null,
    low: below.length === k ? mean - rootOfSquares(below) / k : null,
    high: above.length === k ? mean + rootOfSquares(above) / k : null,
    n,
    method: 'macro',
  }
}
