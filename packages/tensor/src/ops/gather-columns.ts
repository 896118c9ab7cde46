import { zeros } from '../tensor/create.js'
import { record } from '../tensor/tape.js'
import { empty, type Tensor } from '../tensor/tensor.js'
import { floatOf } from './check.js'
import { expectRuns, type ColumnRun } from './column-runs.js'

/** The columns of the runs beside one another. x [N, M] -> [N, n]. Saves nothing. */
export function gatherColumns(x: Tensor, runs: readonly ColumnRun[]): Tensor {
  const dtype = floatOf('gatherColumns', 'x', x)
  const n = expectRuns('gatherColumns', 'x', x, runs)
  const [rows, cols] = x.shape as [number, number]
  // Zeros that nobody has written yet stay so.
  if (x.storage.zero && x.node === null) return zeros(x.backend, [rows, n], dtype)
  const y = empty(x.backend, [rows, n], dtype)
  let at = 0
  for (const { first, count } of runs) {
    y.backend.copy2d(y.buf, at, n, x.buf, first, cols, rows, count, dtype, 0)
    at += count
  }
  const nx = x.node
  const node = record('gatherColumns', y, nx)
  if (node !== null && nx !== null) {
    node.dtype = nx.dtype
    node.run = (dy) => {
      const dx = nx.openToAdd()
      let from = 0
      for (const { first, count } of runs) {
        dy.backend.copy2d(dx.buf, first, cols, dy.buf, from, n, rows, count, nx.dtype, 1)
        from += count
      }
    }
  }
  return y
}
