/** Sequences of ids below `vocab`, the same at every call; the ids of `within` stand in the middle of each. */
export function randomIds(
  vocab: number,
  lengths: readonly number[],
  { maxPositions = null, within = [] }: RandomIdsOptions = {},
): number[][] {
  let state = 11
  return lengths.map((length) => {
    const ids = Array.from({ length: Math.min(length, maxPositions ?? length) }, () => {
      state = (Math.imul(state, 1103515245) + 12345) >>> 0
      return Math.floor((state / 2 ** 32) * vocab)
    })
    const at = Math.floor((ids.length - within.length) / 2)
    if (at > 0) ids.splice(at, within.length, ...within)
    return ids
  })
}

export interface RandomIdsOptions {
  /** Longest sequence; null without a limit. */
  readonly maxPositions?: number | null
  readonly within?: readonly number[]
}
