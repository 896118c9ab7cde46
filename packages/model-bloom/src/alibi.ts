/**
 * Slope of each head's linear bias (Press et al. 2022, arXiv:2108.12409), [heads]: 2^(-8/n), 2^(-16/n), … for the largest
 * power of two n <= heads; the other heads get every second slope of 2n.
 */
export function alibiSlopes(heads: number): Float32Array {
  const whole = 2 ** Math.floor(Math.log2(heads))
  return Float32Array.from({ length: heads }, (_, i) =>
    i < whole ? 2 ** ((-8 * (i + 1)) / whole) : 2 ** ((-4 * (2 * (i - whole) + 1)) / whole),
  )
}
