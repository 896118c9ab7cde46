import { configError, flag, given, integer, object, onlyKnown, positive, type ConfigJson } from './fields.js'

/** How positions turn into angles (Su et al. 2021, arXiv:2104.09864) and how a longer context is reached. */
export type RopeConfig = { readonly theta: number } & (
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
  /** Blended by dimension, cos and sin scaled (YaRN, Peng et al. 2023, arXiv:2309.00071). */
  | {
      readonly kind: 'yarn'
      readonly factor: number
      readonly originalMaxPositions: number
      readonly betaFast: number
      readonly betaSlow: number
      /** Whether the bounds of the blend are rounded to whole dimensions. */
      readonly truncate: boolean
      readonly attentionFactor: number
    }
  /** A divisor for each frequency, of short and of long sequences (LongRoPE, Ding et al. 2024, arXiv:2402.13753). */
  | {
      readonly kind: 'longrope'
      readonly shortFactors: readonly number[]
      readonly longFactors: readonly number[]
      readonly originalMaxPositions: number
      readonly attentionFactor: number
    }
)

export interface RopeLimits {
  /** Dimensions of a head that turn. */
  readonly dims: number
  /** `max_position_embeddings`. */
  readonly maxPositions: number
  /** theta where config.json gives none; 10000 when omitted. */
  readonly theta?: number
  /** Ways of reaching a longer context that the family has; all when omitted. */
  readonly kinds?: readonly RopeConfig['kind'][]
}

const allKinds = ['default', 'linear', 'dynamic', 'llama3', 'yarn', 'longrope'] as const

/** Everything that published configs have in `rope_scaling` and `rope_parameters`. */
export const ropeFields: readonly string[] = [
  'rope_type',
  'type',
  'rope_theta',
  'partial_rotary_factor',
  'factor',
  'low_freq_factor',
  'high_freq_factor',
  'original_max_position_embeddings',
  'attention_factor',
  'beta_fast',
  'beta_slow',
  'mscale',
  'mscale_all_dim',
  'truncate',
  'finetuned',
  'short_factor',
  'long_factor',
  'short_mscale',
  'long_mscale',
]

/** The field that describes the rotation: `rope_parameters`, which transformers 5 writes, or `rope_scaling`. */
const ropeField = (json: ConfigJson): string =>
  given(json, 'rope_parameters') ? 'rope_parameters' : 'rope_scaling'

/** The part of a head that turns: `partial_rotary_factor`, at the top or in `rope_parameters`. */
export function rotaryPart(json: ConfigJson, fallback = 1): number {
  const inner = object(json, ropeField(json))
  const where = given(inner, 'partial_rotary_factor') ? inner : json
  const part = positive(where, 'partial_rotary_factor', fallback)
  if (part > 1) throw configError('partial_rotary_factor', 'at most 1', part)
  return part
}

/** Dimensions of a head that turn, the first ones; `fallback` is the part of it where config.json says none. */
export function rotaryDims(json: ConfigJson, headDim: number, fallback = 1): number {
  const part = rotaryPart(json, fallback)
  const dims = Math.floor(headDim * part)
  if (dims % 2 !== 0 || dims === 0)
    throw configError('partial_rotary_factor', `an even number of the ${headDim} dimensions of a head`, part)
  return dims
}

/**
 * The rotation of a family that turns whole heads, and the longest sequence that it reaches. `trained` is
 * `max_position_embeddings` where config.json lacks it.
 */
export function wholeRotation(
  json: ConfigJson,
  headDim: number,
  trained: number,
): { readonly rope: RopeConfig; readonly maxPositions: number } {
  const part = rotaryPart(json)
  if (part !== 1) throw configError('partial_rotary_factor', '1', part, 'It belongs to another family.')
  const maxPositions = integer(json, 'max_position_embeddings', trained)
  const rope = parseRope(json, { dims: headDim, maxPositions })
  return { rope, maxPositions: longestSequence(rope, maxPositions) }
}

/** Reads `rope_theta` and `rope_scaling`, or `rope_parameters`, which transformers 5 writes in their place. */
export function parseRope(json: ConfigJson, limits: RopeLimits): RopeConfig {
  const field = ropeField(json)
  const inner = object(json, field)
  onlyKnown(inner, field, ropeFields)
  const { dims, maxPositions } = limits
  const number = (name: string, fallback?: number) => positive(inner, name, fallback, `${field}.${name}`)
  const theta = given(inner, 'rope_theta')
    ? number('rope_theta')
    : positive(json, 'rope_theta', limits.theta ?? 10000)
  // Phi-3 writes the trained length at the top.
  const original = () =>
    given(inner, 'original_max_position_embeddings')
      ? number('original_max_position_embeddings')
      : positive(json, 'original_max_position_embeddings', maxPositions)
  const kind = (inner['rope_type'] ?? inner['type'] ?? 'default') as RopeConfig['kind']
  const kinds = limits.kinds ?? allKinds
  if (!kinds.includes(kind))
    throw configError(
      `${field}.${'rope_type' in inner ? 'rope_type' : 'type'}`,
      kinds.join(', ').replace(/, (\w+)$/, ' or $1'),
      kind,
      'This way of extending the context is not supported. Without the field the model has the context it was trained with.',
    )
  switch (kind) {
    case 'default':
      return { kind, theta }
    case 'linear':
      return { kind, theta, factor: number('factor') }
    case 'dynamic':
      return { kind, theta, factor: number('factor'), maxPositions }
    case 'llama3': {
      const lowFreqFactor = number('low_freq_factor')
      const highFreqFactor = number('high_freq_factor')
      if (highFreqFactor <= lowFreqFactor)
        throw configError(
          `${field}.high_freq_factor`,
          `more than low_freq_factor (${lowFreqFactor})`,
          highFreqFactor,
        )
      const factor = number('factor')
      return { kind, theta, factor, lowFreqFactor, highFreqFactor, originalMaxPositions: original() }
    }
    case 'yarn': {
      const originalMaxPositions = original()
      const factor = number('factor', maxPositions / originalMaxPositions)
      const magnitude = (scale: number) => (factor <= 1 ? 1 : 0.1 * scale * Math.log(factor) + 1)
      const implied =
        given(inner, 'mscale') && given(inner, 'mscale_all_dim')
          ? magnitude(number('mscale')) / magnitude(number('mscale_all_dim'))
          : magnitude(1)
      return {
        kind,
        theta,
        factor,
        originalMaxPositions,
        betaFast: number('beta_fast', 32),
        betaSlow: number('beta_slow', 1),
        truncate: flag(inner, 'truncate', true),
        attentionFactor: number('attention_factor', implied),
      }
    }
    case 'longrope': {
      const originalMaxPositions = original()
      const factor = number('factor', maxPositions / originalMaxPositions)
      const implied = factor <= 1 ? 1 : Math.sqrt(1 + Math.log(factor) / Math.log(originalMaxPositions))
      const factors = (name: string): number[] => {
        const list = inner[name]
        const isList = Array.isArray(list) && list.length === dims / 2
        if (!isList || !list.every((f) => typeof f === 'number' && Number.isFinite(f) && f > 0))
          throw configError(`${field}.${name}`, `a list of ${dims / 2} positive numbers`, list)
        return list as number[]
      }
      return {
        kind,
        theta,
        shortFactors: factors('short_factor'),
        longFactors: factors('long_factor'),
        originalMaxPositions,
        attentionFactor: number('attention_factor', implied),
      }
    }
  }
}

/** Tells sequences apart, by their largest position + 1, that have other frequencies: equal for those that have the same. */
export function frequencyKey(rope: RopeConfig, maxPosition: number): number {
  switch (rope.kind) {
    case 'dynamic':
      return maxPosition > rope.maxPositions ? maxPosition : 0
    case 'longrope':
      return maxPosition > rope.originalMaxPositions ? 1 : 0
    default:
      return 0
  }
}

/** Angle per position of each pair of the `dims` dimensions that turn, [dims / 2]. `maxPosition` is the largest position + 1. */
export function inverseFrequencies(rope: RopeConfig, dims: number, maxPosition: number): Float32Array {
  let { theta } = rope
  if (rope.kind === 'dynamic' && maxPosition > rope.maxPositions) {
    const { factor, maxPositions } = rope
    theta *= ((factor * maxPosition) / maxPositions - (factor - 1)) ** (dims / (dims - 2))
  }
  const change = changeOf(rope, dims, maxPosition)
  return Float32Array.from({ length: dims / 2 }, (_, i) => change(theta ** ((-2 * i) / dims), i))
}

/** Factor of cos and sin: what `ops.rope` takes as `scale`. */
export const attentionFactor = (rope: RopeConfig): number =>
  'attentionFactor' in rope ? rope.attentionFactor : 1

/** The longest sequence that a rotation reaches in a model with `max_position_embeddings`. */
export function longestSequence(rope: RopeConfig, maxPositions: number): number {
  switch (rope.kind) {
    // These leave max_position_embeddings at what the model was trained for.
    case 'linear':
    case 'dynamic':
      return Math.floor(Math.max(1, rope.factor) * maxPositions)
    // Some configs give the length before, some the length after.
    case 'yarn':
      return Math.max(maxPositions, Math.floor(rope.factor * rope.originalMaxPositions))
    default:
      return maxPositions
  }
}

function changeOf(
  rope: RopeConfig,
  dims: number,
  maxPosition: number,
): (frequency: number, i: number) => number {
  switch (rope.kind) {
    case 'linear':
      return (frequency) => frequency / rope.factor
    case 'llama3': {
      const { factor, lowFreqFactor, highFreqFactor, originalMaxPositions } = rope
      return (frequency) => {
        const turns = (originalMaxPositions * frequency) / (2 * Math.PI)
        if (turns < lowFreqFactor) return frequency / factor
        if (turns > highFreqFactor) return frequency
        const kept = (turns - lowFreqFactor) / (highFreqFactor - lowFreqFactor)
        return (1 - kept) * (frequency / factor) + kept * frequency
      }
    }
    case 'yarn': {
      const { theta, factor, originalMaxPositions, betaFast, betaSlow, truncate } = rope
      // The pair that turns so many times over the trained length.
      const pair = (turns: number) =>
        (dims * Math.log(originalMaxPositions / (turns * 2 * Math.PI))) / (2 * Math.log(theta))
      const [first, last] = [pair(betaFast), pair(betaSlow)]
      const low = Math.max(truncate ? Math.floor(first) : first, 0)
      const high = Math.min(truncate ? Math.ceil(last) : last, dims - 1)
      const width = high === low ? 0.001 : high - low
      return (frequency, i) => {
        const divided = Math.min(Math.max((i - low) / width, 0), 1)
        return (frequency / factor) * divided + frequency * (1 - divided)
      }
    }
    case 'longrope': {
      const factors = maxPosition > rope.originalMaxPositions ? rope.longFactors : rope.shortFactors
      return (frequency, i) => frequency / factors[i]!
    }
    default:
      return (frequency) => frequency
  }
}
