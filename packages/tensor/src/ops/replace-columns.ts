import { record, scratch } from '../tensor/tape.js'
import type { Storage } from '../tensor/storage.js'
import { describe, type Tensor } from '../tensor/tensor.js'
import { expectDevice, expectDType, floatOf, shapeError } from './check.js'
import { expectRuns, type ColumnRun } from './column-runs.js'
import { destinationOf, releaseGiven } from './linear.js'

/** Throws where a column is in two runs: the last one alone would be written, and both would have its gradient. */
function expectApart(op: string, runs: readonly ColumnRun[]): void {
  const sorted = [...runs].sort((a, b) => a.first - b.first)
  for (const [i, { first, count }] of sorted.entries()) {
    const next = sorted[i + 1]
    if (next !== undefined && next.first < first + count)
      throw shapeError(op, `columns expected each once, found ${next.first} twice`)
  }
}

/**
 * x with the columns of the runs, which must not overlap, replaced by those of v in their order. x [N, M], v [N, n] -> [N, M].
 * x is given away, as `addTo` of `linear` is. Saves nothing. Gradients are in the type of those of the inputs, so that f32 logits
 * of a bf16 model have none of twice the size.
 */
export function replaceColumns(x: Tensor, v: Tensor, runs: readonly ColumnRun[]): Tensor {
  const op = 'replaceColumns'
  const dtype = floatOf(op, 'x', x)
  const n = expectRuns(op, 'x', x, runs)
  expectApart(op, runs)
  const [rows, cols] = x.shape as [number, number]
  if (v.shape.length !== 2 || v.shape[0] !== rows || v.shape[1] !== n)
    throw shapeError(op, `v expected [${rows}, ${n}], found ${describe(v)}`)
  expectDType(op, 'v', v, dtype)
  expectDevice(op, 'v', v, x)
  const nx = x.node
  const nv = v.node
  const y = destinationOf(op, x, v, rows, cols, dtype)
  const put = (to: Storage, from: Storage, type: typeof dtype) => {
    let at = 0
    for (const { first, count } of runs) {
      to.backend.copy2d(to.buf, first, cols, from.buf, at, n, rows, count, type, 0)
      at += count
    }
  }
  put(y.storage, v.storage, dtype)
  const node = record(op, y, nx, nv)
  if (node !== null) {
    const type = (nx ?? nv)!.dtype
    node.dtype = type
    node.run = (dy) => {
      const { backend } = dy
      if (nv !== null) {
        const dv = scratch(backend, rows * n, type)
        let at = 0
        for (const { first, count } of runs) {
          backend.copy2d(dv.buf, at, n, dy.buf, first, cols, rows, count, type, 0)
          at += count
        }
        nv.give(dv, type)
      }
      if (nx === null) return
      const reuse = dy.exclusive
      const dx = reuse ? dy : scratch(backend, rows * cols, type)
      if (!reuse) backend.copy2d(dx.buf, 0, cols, dy.buf, 0, cols, rows, cols, type, 0)
      const none = scratch(backend, rows * n, type)
      none.zero = true
      put(dx, none, type)
      none.release()
      nx.give(reuse ? dx.retain() : dx, type)
    }
  }
  releaseGiven(x)
  return y
}
