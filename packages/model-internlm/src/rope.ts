/** How positions turn into angles (Su et al. 2021, arXiv:2104.09864) and how a longer context is reached. */
export type RopeConfig = { readonly theta: number } & (
  | { readonly kind: 'default' }
  /** Positions divided by a factor (Chen et al. 2023, arXiv:2306.15595). */
  | { readonly kind: 'linear'; readonly factor: number }
  /** theta grows with the length once that exceeds what the model was trained for ("dynamic NTK"). */
  | { readonly kind: 'dynamic'; readonly factor: number; readonly maxPositions: number }
)

/** Angle per position of each pair of dimensions, [headDim / 2]. `maxPosition` is the largest position + 1. */
export function inverseFrequencies(rope: RopeConfig, headDim: number, maxPosition: number): Float32Array {
  let { theta } = rope
  if (rope.kind === 'dynamic' && maxPosition > rope.maxPositions) {
    const { factor, maxPositions } = rope
    theta *= ((factor * maxPosition) / maxPositions - (factor - 1)) ** (headDim / (headDim - 2))
  }
  const divisor = rope.kind === 'linear' ? rope.factor : 1
  return Float32Array.from({ length: headDim / 2 }, (_, i) => theta ** ((-2 * i) / headDim) / divisor)
}
