import type { FloatDType } from '../dtype.js'
import { IftError } from '../errors.js'
import type { QuantizedTensor } from '../tensor/quantized-tensor.js'
import { record, scratch } from '../tensor/tape.js'
import { empty, type Tensor } from '../tensor/tensor.js'
import { expectDevice, expectDType, expectRank, expectVector, floatOf } from './check.js'

/**
 * y[i] = x[index[i]]. x [N, C], index i32 [M], 0 <= index < N -> [M, C]. Saves the index. Rows named more than once get
 * the sum of their gradients.
 */
export const gatherRows = (x: Tensor, index: Tensor): Tensor => gather('gatherRows', x, index)

/**
 * `gatherRows` for an index that names rows many times over: their gradients are added up in f32 and rounded once,
 * whatever the dtype.
 */
export const gatherRepeatedRows = (x: Tensor, index: Tensor): Tensor =>
  gather('gatherRepeatedRows', x, index, true)

/** Rows of a table by id. table [V, C] (a tensor or a Parameter), ids i32 [N], 0 <= id < V -> [N, C]. Saves the ids. */
export const embedding = (table: Tensor | { readonly value: Tensor }, ids: Tensor): Tensor =>
  gather('embedding', 'value' in table ? table.value : table, ids)

/** `embedding` of a frozen table of blocks, whose other rows are not written out; y is of `dtype`. */
export function embeddingOfBlocks(table: QuantizedTensor, ids: Tensor, dtype: FloatDType): Tensor {
  expectRank('embedding', 'ids', ids, 1, '[N]')
  expectDType('embedding', 'ids', ids, 'i32')
  expectDevice('embedding', 'table', table, ids)
  const { backend, matrix } = table
  if (!backend.blocks || matrix.scales !== null)
    throw new IftError('IFT_QUANTIZED', `rows of ${table.format} are not looked up alone`)
  const y = empty(backend, [ids.size, matrix.cols], dtype)
  backend.blocks.gatherRows(y.buf, matrix, ids.buf, ids.size, dtype)
  return y
}

function gather(op: string, x: Tensor, index: Tensor, repeated = false): Tensor {
  const dtype = floatOf(op, 'x', x)
  expectRank(op, 'x', x, 2, '[N, C]')
  expectRank(op, 'index', index, 1, '[M]')
  expectDType(op, 'index', index, 'i32')
  const tableRows = x.shape[0]!
  const cols = x.shape[1]!
  const rows = index.size
  expectVector(op, 'index', index, rows, x)
  const y = empty(x.backend, [rows, cols], dtype)
  x.backend.gatherRows(y.buf, x.buf, index.buf, rows, cols, tableRows, dtype)

  const nx = x.node
  const node = record(op, y, nx)
  if (node !== null && nx !== null) {
    const ids = index.storage
    node.save(ids)
    node.run = (dy) => {
      if (repeated && dtype !== 'f32') {
        const sum = scratch(dy.backend, tableRows * cols, 'f32')
        dy.backend.fill(sum.buf, 0, tableRows * cols, 'f32')
        dy.backend.scatterRows(sum.buf, dy.buf, ids.buf, rows, cols, tableRows, dtype, 'f32', 1)
        nx.give(sum, 'f32')
        return
      }
      dy.backend.scatterRows(nx.openToAdd().buf, dy.buf, ids.buf, rows, cols, tableRows, dtype, nx.dtype, 1)
    }
  }
  return y
}
