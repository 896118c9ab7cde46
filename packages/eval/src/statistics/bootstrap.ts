import { DataRandom } from '@ift/core'
import { moments, type Estimate } from './estimate.js'

/**
 * A statistic of a whole set of items that is no mean of scores, such as BLEU of a corpus, with its bootstrap (Efron, 1979): `statistic`
 * is given indices of `n` items, first each of them once, then `draws` times as many drawn with replacement. `se` is the standard deviation of
 * what it gave, as in lm-evaluation-harness, whose generator is another one; the interval lies between their percentiles.
 */
export function bootstrap(
  n: number,
  statistic: (items: Int32Array) => number,
  { draws = 1000, seed = 0 } = {},
): Estimate {
  const items = Int32Array.from({ length: n }, (_, i) => i)
  const mean = statistic(items)
  if (n < 2) return { mean, se: null, low: null, high: null, n, method: 'bootstrap' }
  const random = new DataRandom('bootstrap', seed)
  const found = new Float64Array(draws)
  for (let draw = 0; draw < draws; draw++) {
    for (let i = 0; i < n; i++) items[i] = random.below(n)
    found[draw] = statistic(items)
  }
  const { variance } = moments(found)
  found.sort()
  return {
    mean,
    se: variance === null ? null : Math.sqrt(variance),
    low: percentile(found, 0.025),
    high: percentile(found, 0.975),
    n,
    method: 'bootstrap',
  }
}

/** Between the two nearest of sorted values, as `numpy.percentile`. */
function percentile(sorted: Float64Array, share: number): number {
  const at = share * (sorted.length - 1)
  const [below, above] = [sorted[Math.floor(at)]!, sorted[Math.ceil(at)]!]
  return below + (above - below) * (at - Math.floor(at))
}
