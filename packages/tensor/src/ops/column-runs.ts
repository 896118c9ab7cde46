import type { Tensor } from '../tensor/tensor.js'
import { expectRank, shapeError } from './check.js'

/** Columns `first` up to `first + count` of a matrix. */
export interface ColumnRun {
  readonly first: number
  readonly count: number
}

/** Columns by number, in the order given, as runs of neighbours: one copy moves each. */
export function columnRuns(columns: readonly number[]): ColumnRun[] {
  const runs: { first: number; count: number }[] = []
  for (const column of columns) {
    const last = runs.at(-1)
    if (last && column === last.first + last.count) last.count++
    else runs.push({ first: column, count: 1 })
  }
  return runs
}

/** Checks a matrix and runs of its columns, and gives the number of columns in them. */
export function expectRuns(op: string, argument: string, t: Tensor, runs: readonly ColumnRun[]): number {
  expectRank(op, argument, t, 2, '[N, M]')
  const cols = t.shape[1]!
  let sum = 0
  for (const { first, count } of runs) {
    if (!(first >= 0 && count >= 1 && first + count <= cols) || !Number.isInteger(first + count))
      throw shapeError(op, `columns expected within 0 .. ${cols - 1}, found ${first} .. ${first + count - 1}`)
    sum += count
  }
  if (sum === 0) throw shapeError(op, 'columns expected at least one, found none')
  return sum
}
