import { empty, type Tensor } from '../tensor/tensor.js'
import { expectDType, expectRank, expectVector } from './check.js'

/** y[i] = table[index[i]], whole numbers. table i32 [V], index i32 [N], 0 <= index < V -> i32 [N]. Not recorded. */
export function gatherIndices(table: Tensor, index: Tensor): Tensor {
  expectRank('gatherIndices', 'table', table, 1, '[V]')
  expectDType('gatherIndices', 'table', table, 'i32')
  expectRank('gatherIndices', 'index', index, 1, '[N]')
  expectDType('gatherIndices', 'index', index, 'i32')
  expectVector('gatherIndices', 'index', index, index.size, table)
  const y = empty(table.backend, [index.size], 'i32')
  // The kernel moves elements of four bytes as they are.
  table.backend.gatherRows(y.buf, table.buf, index.buf, index.size, 1, table.size, 'f32')
  return y
}
