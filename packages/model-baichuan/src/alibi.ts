/**
 * Slopes of ALiBi (Press et al. 2022, arXiv:2108.12409), f32 [heads]: powers of one base for the largest power of two of
 * heads, odd powers of its root for the others.
 */
export function alibiSlopes(heads: number): Float32Array {
  const whole = 2 ** Math.floor(Math.log2(heads))
  return Float32Array.from({ length: heads }, (_, i) =>
    i < whole ? 2 ** ((-8 / whole) * (i + 1)) : 2 ** ((-4 / whole) * (2 * (i - whole) + 1)),
  )
}
