import { z95, type Estimate } from './estimate.js'

/**
 * The mean of parts weighted by their sizes, with the standard error from within the parts, as lm-evaluation-harness gives for a group
 * such as mmlu: √(Σ (nᵢ − 1) nᵢ seᵢ² / (N − k) / N). It leaves out how far the parts are apart: the items of every part are the ones that
 * were drawn. Null without parts; no error where a part has one item.
 */
export function pooledMean(parts: readonly Estimate[]): Estimate | null {
  const n = parts.reduce((sum, part) => sum + part.n, 0)
  if (n === 0) return null
  const mean = parts.reduce((sum, part) => sum + part.mean * part.n, 0) / n
  let squares: number | null = 0
  for (const part of parts)
    squares = part.se === null || squares === null ? null : squares + (part.n - 1) * part.n * part.se ** 2
  if (squares === null) return { mean, se: null, low: null, high: null, n, method: 'pooled' }
  const se = Math.sqrt(squares / (n - parts.length) / n)
  return { mean, se, low: mean - z95 * se, high: mean + z95 * se, n, method: 'pooled' }
}
