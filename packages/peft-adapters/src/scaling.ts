import { full, ops, type Tensor } from '@ift/tensor'

/** y[n, c] = x[n, c] · s for a trained number s [1], or · s[c] for s [C]. */
export function scaleBy(x: Tensor, s: Tensor): Tensor {
  const [, columns] = x.shape as [number, number]
  if (s.size === columns) return ops.scaleColumns(x, s)
  // One number for each column, by a product whose gradient sums over them.
  const ones = full(x.backend, [columns, 1], 1, 'f32')
  const number = ops.cast(s, 'f32').reshape(1, 1)
  return ops.scaleColumns(x, ops.linear(ones, number).reshape(columns))
}
