/**
 * Debiased exponential mean: `weight` of the mean before, from 0 (the values) to below 1. The first values are not pulled to 0: the sum
 * of the weights divides (as Adam's moments, Kingma and Ba 2015). Values that are not finite are left out of the mean and stay.
 */
export function smooth(values: ArrayLike<number>, weight: number): Float64Array {
  const result = new Float64Array(values.length)
  let mean = 0
  let seen = 1
  for (let i = 0; i < values.length; i++) {
    const value = values[i]!
    if (!Number.isFinite(value)) {
      result[i] = value
      continue
    }
    mean = weight * mean + (1 - weight) * value
    seen *= weight
    result[i] = mean / (1 - seen)
  }
  return result
}
