import type { DataReply } from '../../api/types.js'

/** A bar of the histogram: rows of `from` ≤ tokens < `to`, by source. */
export interface Bin {
  readonly from: number
  readonly to: number
  readonly counts: readonly number[]
  readonly total: number
}

/** Bars of a histogram: neighbours are joined so that there are at most so many. */
export function binsOf({ width, counts }: DataReply['lengths'], most: number): Bin[] {
  const length = Math.max(0, ...counts.map((each) => each.length))
  const joined = Math.max(1, Math.ceil(length / Math.max(1, most)))
  return Array.from({ length: Math.ceil(length / joined) }, (_, i) => {
    const bySource = counts.map((each) =>
      each.slice(i * joined, (i + 1) * joined).reduce((sum, count) => sum + count, 0),
    )
    return {
      from: i * joined * width,
      to: (i + 1) * joined * width,
      counts: bySource,
      total: bySource.reduce((sum, count) => sum + count, 0),
    }
  })
}

/** Lengths that a drag over bars selects, whichever way it goes. */
export function spanOf(bins: readonly Bin[], a: number, b: number): { from: number; to: number } | null {
  if (bins.length === 0) return null
  const inside = (i: number) => Math.max(0, Math.min(bins.length - 1, i))
  const [first, last] = [inside(Math.min(a, b)), inside(Math.max(a, b))]
  return { from: bins[first]!.from, to: bins[last]!.to }
}
