import type { Accumulate, Buf } from '../backend.js'
import type { FloatDType } from '../dtype.js'
import { IftError } from '../errors.js'
import type { Memory } from './memory.js'

/** Whether all ids are rows of the table; notes the error that the next read rejects with if not. */
function inRange(memory: Memory, kernel: string, ids: Int32Array, tableRows: number): boolean {
  const at = ids.findIndex((id) => id < 0 || id >= tableRows)
  if (at < 0) return true
  memory.fail(
    new IftError('IFT_INDEX_RANGE', `${kernel}: ids[${at}] is ${ids[at]}, the table has ${tableRows} rows`),
  )
  return false
}

export function gatherRows(
  memory: Memory,
  y: Buf,
  table: Buf,
  ids: Buf,
  rows: number,
  cols: number,
  tableRows: number,
  dtype: FloatDType,
): void {
  const tv = memory.floats(table, tableRows * cols, dtype, 'gatherRows', 'table')
  const index = memory.ints(ids, rows, 'gatherRows', 'ids')
  memory.expect(y, rows * cols, dtype, 'gatherRows', 'y')
  if (!inRange(memory, 'gatherRows', index, tableRows)) return
  const yv = new Float64Array(rows * cols)
  for (const [r, id] of index.entries()) yv.set(tv.subarray(id * cols, (id + 1) * cols), r * cols)
  memory.store(y, yv, dtype, 'gatherRows', 'y')
}

export function scatterRows(
  memory: Memory,
  table: Buf,
  x: Buf,
  ids: Buf,
  rows: number,
  cols: number,
  tableRows: number,
  dtype: FloatDType,
  tableDtype: FloatDType,
  beta: Accumulate,
): void {
  const xv = memory.floats(x, rows * cols, dtype, 'scatterRows', 'x')
  const index = memory.ints(ids, rows, 'scatterRows', 'ids')
  memory.expect(table, tableRows * cols, tableDtype, 'scatterRows', 'table')
  if (!inRange(memory, 'scatterRows', index, tableRows)) return
  const tv = memory.floats(table, tableRows * cols, tableDtype, 'scatterRows', 'table')
  for (const [r, id] of index.entries()) {
    for (let c = 0; c < cols; c++) {
      const from = xv[r * cols + c]!
      const to = id * cols + c
      tv[to] = beta === 1 ? tv[to]! + from : from
    }
  }
  memory.store(table, tv, tableDtype, 'scatterRows', 'table')
}
