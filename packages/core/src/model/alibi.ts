/**
 * Slope of each head's linear bias, f32 [heads]: what `ops.attention` takes as `alibiSlopes` (ALiBi, Press et al. 2022,
 * arXiv:2108.12409). 2^(-8/n), 2^(-16/n), …, 2^-8 for the largest power of two n <= heads; the paper has no other numbers of
 * heads, and the heads beyond n get what its authors' code gives them, every second slope of 2n: 2^(-4/n), 2^(-12/n), …
 */
export function alibiSlopes(heads: number): Float32Array {
  const whole = 2 ** Math.floor(Math.log2(heads))
  return Float32Array.from({ length: heads }, (_, i) =>
    i < whole ? 2 ** ((-8 * (i + 1)) / whole) : 2 ** ((-4 * (2 * (i - whole) + 1)) / whole),
  )
}
