import { moments, type Estimate } from './estimate.js'
import { t95 } from './t-quantile.js'

/**
 * The mean of values that come in groups: questions about one passage, several answers to one prompt. Values of a group may depend on
 * each other, groups do not (Liang and Zeger, 1986; for evaluations Miller, 2024, arXiv 2411.00640). `clusters[i]` names the group of
 * `values[i]`. The variance is that of the groups' sums, times G / (G − 1); t has G − 1 degrees of freedom, for G groups.
 */
export function clustered(values: readonly number[], clusters: readonly (string | number)[]): Estimate {
  const { mean } = moments(values)
  const n = values.length
  const sums = new Map<string | number, number>()
  for (const [i, value] of values.entries())
    sums.set(clusters[i]!, (sums.get(clusters[i]!) ?? 0) + (value - mean))
  const groups = sums.size
  if (groups < 2) return { mean, se: null, low: null, high: null, n, method: 'clustered' }
  let squares = 0
  for (const sum of sums.values()) squares += sum * sum
  const se = Math.sqrt((squares * groups) / (groups - 1)) / n
  const half = t95(groups - 1) * se
  return { mean, se, low: mean - half, high: mean + half, n, method: 'clustered' }
}
