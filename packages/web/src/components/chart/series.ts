/** Places of series in the fixed order of colours and dashes. */
export type SeriesNumber = 1 | 2 | 3 | 4 | 5 | 6

/** Dashes of the series in CSS pixels; none is a solid line. */
const dashes: Readonly<Record<SeriesNumber, readonly number[]>> = {
  1: [],
  2: [7, 4],
  3: [2, 4],
  4: [9, 4, 2, 4],
  5: [12, 3],
  6: [4, 4],
}

export const dashOf = (series: SeriesNumber): readonly number[] => dashes[series]

/** Most series in one chart: one colour and one dash each. */
export const mostSeries = 6

/** The token that holds the colour of a series. */
export const colourOf = (series: SeriesNumber): string => `--series-${series}`

/**
 * The selection of runs: each keeps its place while it is selected, a new one takes the first that is free; null when there is none.
 */
export function place(
  selected: ReadonlyMap<string, SeriesNumber>,
  id: string,
): ReadonlyMap<string, SeriesNumber> | null {
  const taken = new Set(selected.values())
  const free = ([1, 2, 3, 4, 5, 6] as const).find((series) => !taken.has(series))
  return free === undefined ? null : new Map([...selected, [id, free]])
}
