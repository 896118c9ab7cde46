import { empty, type Tensor } from '../tensor/tensor.js'
import { expectRank, floatOf } from './check.js'

/** Euclidean norm of each row. w [R, C] -> f32 [R]. Not recorded: DoRA treats the norm as a constant. */
export function rowNorms(w: Tensor): Tensor {
  const dtype = floatOf('rowNorms', 'w', w)
  expectRank('rowNorms', 'w', w, 2, '[R, C]')
  const rows = w.shape[0]!
  const y = empty(w.backend, [rows], 'f32')
  w.backend.rowNorms(y.buf, w.buf, rows, w.shape[1]!, dtype)
  return y
}
