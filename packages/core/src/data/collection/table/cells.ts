import { isRecord } from '../../read/record.js'
import { textOf } from '../field.js'
import { Extent, isWithin } from './extent.js'

/** A cell that may reach over several rows and columns, as in HTML. Any other value is a cell of its text. */
export interface Cell {
  readonly text: string
  readonly rowSpan: number
  readonly colSpan: number
  readonly header: boolean
}

/** HTML's standard bounds `colspan` by 1000; no table is made wider by spans. */
const mostColumns = 1000

const spanOf = (value: unknown): number =>
  typeof value === 'number' && Number.isInteger(value) && value > 1 ? value : 1

export function cellOf(value: unknown): Cell {
  if (!isRecord(value)) return { text: textOf(value) ?? '', rowSpan: 1, colSpan: 1, header: false }
  const { text, rowSpan, colSpan, header } = value
  return {
    text: textOf(text) ?? '',
    rowSpan: spanOf(rowSpan),
    colSpan: Math.min(spanOf(colSpan), mostColumns),
    header: header === true,
  }
}

/** Rows of any JSON value: what is no list of lists has none. */
export const rowsOf = (rows: unknown): readonly (readonly unknown[])[] =>
  Array.isArray(rows) ? rows.filter((row): row is unknown[] => Array.isArray(row)) : []

/**
 * The texts of a table in which a cell that reaches over several places stands in each of them; all rows are of one length. Null for a
 * table of more than 1,048,576 places or 16,777,216 characters.
 */
export function repeatMerged(rows: unknown): string[][] | null {
  const source = rowsOf(rows)
  const widest = source.reduce((width, row) => Math.max(width, row.length), mostColumns)
  const grid: string[][] = source.map(() => [])
  const extent = new Extent()
  let width = 0
  // How many more rows a cell of a row above takes, by column.
  let taken: { text: string; left: number }[] = []
  for (const [r, row] of source.entries()) {
    const line = grid[r]!
    const next: typeof taken = []
    let column = 0
    const put = (text: string, left: number) => {
      if (!extent.takes(text)) return false
      line[column] = text
      next[column++] = { text, left }
      return true
    }
    const above = () => {
      for (let over = taken[column]; over && over.left > 0; over = taken[column])
        if (!put(over.text, over.left - 1)) return false
      return true
    }
    for (const value of row) {
      if (!above()) return null
      const { text, rowSpan, colSpan } = cellOf(value)
      for (let i = 0; i < colSpan && column < widest; i++) if (!put(text, rowSpan - 1)) return null
    }
    if (!above()) return null
    taken = next
    width = Math.max(width, line.length)
  }
  if (!isWithin(grid.length, width)) return null
  return grid.map((line) => Array.from({ length: width }, (_, i) => line[i] ?? ''))
}
