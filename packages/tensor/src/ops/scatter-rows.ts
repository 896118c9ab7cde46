import { record, scratch } from '../tensor/tape.js'
import { zeros } from '../tensor/create.js'
import { type Tensor } from '../tensor/tensor.js'
import { expectDType, expectRank, expectVector, floatOf } from './check.js'

/**
 * y[index[i]] += x[i], zero elsewhere. x [M, C], index i32 [M], 0 <= index < rows -> [rows, C]. Saves the index.
 */
export function scatterRows(x: Tensor, index: Tensor, rows: number): Tensor {
  const dtype = floatOf('scatterRows', 'x', x)
  expectRank('scatterRows', 'x', x, 2, '[M, C]')
  const count = x.shape[0]!
  const cols = x.shape[1]!
  expectVector('scatterRows', 'index', index, count, x)
  expectDType('scatterRows', 'index', index, 'i32')
  const y = zeros(x.backend, [rows, cols], dtype)
  x.backend.scatterRows(y.buf, x.buf, index.buf, count, cols, rows, dtype, dtype, 1)

  const nx = x.node
  const node = record('scatterRows', y, nx)
  if (node !== null && nx !== null) {
    const ids = index.storage
    node.save(ids)
    node.run = (dy) => {
      const dx = scratch(dy.backend, count * cols, dtype)
      dy.backend.gatherRows(dx.buf, dy.buf, ids.buf, count, cols, rows, dtype)
      nx.give(dx, dtype)
    }
  }
  return y
}
