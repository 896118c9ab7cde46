import { mostTop, type Buf, type TopRows } from '../backend.js'
import { IftError } from '../errors.js'
import type { Memory } from './memory.js'

/** values f32 [rows, k] and indices i32 [rows, k] of the highest entries of x [rows, cols]; unless null, logSum f32 [rows]. */
export function topRows(
  memory: Memory,
  values: Buf,
  indices: Buf,
  logSum: Buf | null,
  x: Buf,
  p: TopRows,
): void {
  const { rows, cols, k, scale, dtype } = p
  if (!Number.isInteger(k) || k < 1 || k > Math.min(cols, mostTop))
    throw new IftError(
      'IFT_ARGUMENT',
      `topRows: k is ${k}, expected 1 to ${Math.min(cols, mostTop)} for rows of ${cols}`,
    )
  const xv = memory.floats(x, rows * cols, dtype, 'topRows', 'x')
  memory.expect(values, rows * k, 'f32', 'topRows', 'values')
  memory.expect(indices, rows * k, 'i32', 'topRows', 'indices')
  if (logSum !== null) memory.expect(logSum, rows, 'f32', 'topRows', 'logSum')
  const highest = new Float64Array(rows * k)
  const columns = new Int32Array(rows * k)
  const sums = new Float64Array(rows)
  for (let r = 0; r < rows; r++) {
    const row = xv.subarray(r * cols, (r + 1) * cols)
    const order = Array.from(row.keys()).sort((a, b) => compare(row[b]!, row[a]!) || a - b)
    for (let i = 0; i < k; i++) {
      columns[r * k + i] = order[i]!
      highest[r * k + i] = row[order[i]!]!
    }
    const max = row[order[0]!]!
    let sum = 0
    for (const v of row) sum += max === -Infinity ? 0 : Math.exp(scale * (v - max))
    sums[r] = scale * max + Math.log(sum)
  }
  memory.store(values, highest, 'f32', 'topRows', 'values')
  memory.storeInts(indices, columns, 'topRows', 'indices')
  if (logSum !== null) memory.store(logSum, sums, 'f32', 'topRows', 'logSum')
}

/** Order of numbers with NaN below all others and both zeros equal. */
function compare(a: number, b: number): number {
  if (Number.isNaN(a) || Number.isNaN(b)) return Number(Number.isNaN(b)) - Number(Number.isNaN(a))
  return a === b ? 0 : a < b ? -1 : 1
}
