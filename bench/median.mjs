// @ts-check

/** The middle of a list, the mean of the two middle ones where their number is even; NaN of an empty list. @param {readonly number[]} list */
export function median(list) {
  const sorted = [...list].sort((a, b) => a - b)
  const half = sorted.length >> 1
  const upper = sorted[half] ?? NaN
  return sorted.length % 2 ? upper : (upper + (sorted[half - 1] ?? NaN)) / 2
}

/**
 * Results of one form, made several times, as one: every number is the median of those in its place; what is no number is that of the first.
 * @template T @param {readonly T[]} results @returns {T}
 */
export function medians(results) {
  const [first] = results
  if (typeof first === 'number')
    return /** @type {T} */ (Number(median(/** @type {readonly number[]} */ (results)).toFixed(2)))
  const at = (/** @type {string | number} */ key) =>
    medians(results.map((one) => /** @type {Record<string | number, unknown>} */ (one)[key]))
  if (Array.isArray(first)) return /** @type {T} */ (first.map((_, i) => at(i)))
  if (typeof first !== 'object' || first === null) return /** @type {T} */ (first)
  return /** @type {T} */ (Object.fromEntries(Object.keys(first).map((key) => [key, at(key)])))
}
