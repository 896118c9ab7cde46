export interface Sort {
  readonly key: string
  /** Largest first. */
  readonly down: boolean
}

/** Rows by one value, stable; rows without it stand at the end either way. */
export function sorted<Row>(
  rows: readonly Row[],
  by: (row: Row) => number | string | null,
  down: boolean,
): readonly Row[] {
  const sign = down ? -1 : 1
  return rows
    .map((row) => ({ row, value: by(row) }))
    .sort((a, b) => {
      if (a.value === null || b.value === null) return Number(a.value === null) - Number(b.value === null)
      if (typeof a.value === 'number' && typeof b.value === 'number') return sign * (a.value - b.value)
      return sign * String(a.value).localeCompare(String(b.value), 'en', { numeric: true })
    })
    .map(({ row }) => row)
}

/** The best of the values; null where fewer than two rows have one, or all are equal: there is nothing to be better than. */
export function bestOf<Row>(
  rows: readonly Row[],
  by: (row: Row) => number | string | null,
  way: 'low' | 'high',
): number | null {
  const values = rows
    .map(by)
    .filter((value): value is number => typeof value === 'number' && Number.isFinite(value))
  const best = way === 'low' ? Math.min(...values) : Math.max(...values)
  return values.some((value) => value !== best) ? best : null
}
