import { tensor, type ForwardInput, type RopeOptions } from '@ift/tensor'
import type { DecoderStep } from './decoder-step.js'
import { attentionFactor, inverseFrequencies, type RopeConfig } from './rope.js'

/** A step of layers that turn queries and keys by their positions. */
export interface RotaryStep extends DecoderStep {
  readonly rotation: RopeOptions
}

/** How the heads of one pass turn: angles of the first `dims` dimensions, f32 [dims / 2], and the factor of cos and sin. */
export const rotationOf = (
  { positions, maxPosition }: ForwardInput,
  rope: RopeConfig,
  dims: number,
): RopeOptions => ({
  invFreq: tensor(positions.backend, inverseFrequencies(rope, dims, maxPosition), [dims / 2]),
  scale: attentionFactor(rope),
})
