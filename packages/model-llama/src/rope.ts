import { configError, positive } from './config.js'

/** How positions turn into angles (Su et al. 2021, arXiv:2104.09864) and how a longer context is reached. */
export type RopeConfig = { readonly theta: number; readonly headDim: number } & (
  | { readonly kind: 'default' }
  /** Positions divided by a factor (Chen et al. 2023, arXiv:2306.15595). */
  | { readonly kind: 'linear'; readonly factor: number }
  /** theta grows with the length once that exceeds what the model was trained for ("dynamic NTK"). */
  | { readonly kind: 'dynamic'; readonly factor: number; readonly maxPositions: number }
  /** Low frequencies divided by a factor, high ones kept, those between blended (LLaMA 3.1). */
  | {
      readonly kind: 'llama3'
      readonly factor: number
      readonly lowFreqFactor: number
      readonly highFreqFactor: number
      readonly originalMaxPositions: number
    }
)

type Json = Readonly<Record<string, unknown>>

/** Reads `rope_theta` and `rope_scaling`, or `rope_parameters`, which transformers 5 writes in their place. */
export function parseRope(json: Json, headDim: number, maxPositions: number): RopeConfig {
  const field = (json['rope_parameters'] ?? null) === null ? 'rope_scaling' : 'rope_parameters'
  const scaling = json[field] ?? {}
  if (typeof scaling !== 'object' || Array.isArray(scaling)) throw configError(field, 'an object', scaling)
  const given = scaling as Json
  const number = (name: string, fallback?: number) => positive(given, name, fallback, `${field}.${name}`)
  const theta =
    (given['rope_theta'] ?? null) === null ? positive(json, 'rope_theta', 10000) : number('rope_theta')
  const partial = given['partial_rotary_factor'] ?? json['partial_rotary_factor'] ?? 1
  if (partial !== 1) throw configError('partial_rotary_factor', '1', partial, 'It belongs to another family.')
  const kind = given['rope_type'] ?? given['type'] ?? 'default'
  switch (kind) {
    case 'default':
      return { kind: 'default', theta, headDim }
    case 'linear':
      return { kind: 'linear', theta, headDim, factor: number('factor') }
    case 'dynamic':
      return { kind: 'dynamic', theta, headDim, factor: number('factor'), maxPositions }
    case 'llama3': {
      const lowFreqFactor = number('low_freq_factor')
      const highFreqFactor = number('high_freq_factor')
      if (highFreqFactor <= lowFreqFactor) {
        throw configError(
          `${field}.high_freq_factor`,
          `more than low_freq_factor (${lowFreqFactor})`,
          highFreqFactor,
        )
      }
      const originalMaxPositions = number('original_max_position_embeddings', maxPositions)
      return {
        kind: 'llama3',
        theta,
        headDim,
        factor: number('factor'),
        lowFreqFactor,
        highFreqFactor,
        originalMaxPositions,
      }
    }
    default:
      throw configError(
        `${field}.${'rope_type' in given ? 'rope_type' : 'type'}`,
        'default, linear, dynamic or llama3',
        kind,
        'This way of extending the context is not built.',
      )
  }
}

/** Angle per position of each pair of dimensions, [headDim / 2]. `maxPosition` is the largest position + 1. */
export function inverseFrequencies(rope: RopeConfig, maxPosition: number): Float32Array {
  const { headDim } = rope
  let { theta } = rope
  if (rope.kind === 'dynamic' && maxPosition > rope.maxPositions) {
    const { factor, maxPositions } = rope
    theta *= ((factor * maxPosition) / maxPositions - (factor - 1)) ** (headDim / (headDim - 2))
  }
  return Float32Array.from({ length: headDim / 2 }, (_, i) => {
    const frequency = theta ** ((-2 * i) / headDim)
    if (rope.kind === 'linear') return frequency / rope.factor
    if (rope.kind !== 'llama3') return frequency
    const { factor, lowFreqFactor, highFreqFactor, originalMaxPositions } = rope
    const turns = (originalMaxPositions * frequency) / (2 * Math.PI)
    if (turns < lowFreqFactor) return frequency / factor
    if (turns > highFreqFactor) return frequency
    const kept = (turns - lowFreqFactor) / (highFreqFactor - lowFreqFactor)
    return (1 - kept) * (frequency / factor) + kept * frequency
  })
}
