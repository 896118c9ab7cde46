// @ts-check

/** The middle of a list, the mean of the two middle ones where their number is even; NaN of an empty list. @param {readonly number[]} list */
export function median(list) {
  const sorted = [...list].sort((a, b) => a - b)
  const half = sorted.length >> 1
  const upper = sorted[half] ?? NaN
  return sorted.length % 2 ? upper : (upper + (sorted[half - 1] ?? NaN)) / 2
}
