import { empty, type Tensor } from '../tensor/tensor.js'
import { expectRank, floatOf } from './check.js'

/** The highest entries of rows, highest first and of equal ones the first. */
export interface TopEntries {
  /** f32 [R, k]. */
  readonly values: Tensor
  /** Their columns, i32 [R, k]. */
  readonly indices: Tensor
  /** log Σ exp(scale · x) of each row, f32 [R]; null when no scale was given. */
  readonly logSum: Tensor | null
}

/**
 * The k highest entries of each row of x [R, C], 1 ≤ k ≤ min(C, mostTop), and with `scale` the logarithm of the sum of all
 * exponentials, which turns them into probabilities: exp(scale · value - logSum). Not recorded.
 */
export function topRows(x: Tensor, k: number, scale: number | null = null): TopEntries {
  const dtype = floatOf('topRows', 'x', x)
  expectRank('topRows', 'x', x, 2, '[R, C]')
  const { backend } = x
  const [rows, cols] = [x.shape[0]!, x.shape[1]!]
  const values = empty(backend, [rows, k], 'f32')
  const indices = empty(backend, [rows, k], 'i32')
  const logSum = scale === null ? null : empty(backend, [rows], 'f32')
  const p = { rows, cols, k, scale: scale ?? 1, dtype }
  backend.topRows(values.buf, indices.buf, logSum && logSum.buf, x.buf, p)
  return { values, indices, logSum }
}
