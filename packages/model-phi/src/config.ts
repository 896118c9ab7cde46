import {
  flag,
  given,
  integer,
  object,
  oneOf,
  parseRope,
  readDecoderSizes,
  rotaryDims,
  type ConfigJson,
  type DecoderSizes,
  type RopeConfig,
} from '@ift/core/model'

/** What a Phi-3 is made of, from its config.json. */
export interface PhiConfig extends DecoderSizes {
  /** Dimensions of a head that turn with the position, the first ones. */
  readonly rotaryDims: number
  readonly rope: RopeConfig
  readonly tieWordEmbeddings: boolean
  /** No more than the window: what lies beyond it is not supported. */
  readonly maxPositions: number
  /** Keys that a query sees at most, or null where it sees all. */
  readonly slidingWindow: number | null
}

/** LongRoPE was published as "su" and as "yarn" too: a list of factors tells it. */
function withLongRope(json: ConfigJson): ConfigJson {
  const field = given(json, 'rope_parameters') ? 'rope_parameters' : 'rope_scaling'
  const rotation = object(json, field)
  const kind = rotation['rope_type'] ?? rotation['type']
  if ((kind !== 'su' && kind !== 'yarn') || !given(rotation, 'short_factor')) return json
  return { ...json, [field]: { ...rotation, rope_type: 'longrope' } }
}

/** Reads config.json of Phi-3, Phi-3.5, Phi-4 and Phi-4-mini. Defaults are transformers' Phi3Config; sizes must be given. */
export function parseConfig(published: ConfigJson): PhiConfig {
  const json = withLongRope(published)
  const sizes = readDecoderSizes(json, { eps: 1e-5 })
  oneOf(json, 'hidden_act', ['silu'])
  const dims = rotaryDims(json, sizes.headDim)
  const longest = integer(json, 'max_position_embeddings', 4096)
  const window = given(json, 'sliding_window') ? integer(json, 'sliding_window') : longest
  return {
    ...sizes,
    rotaryDims: dims,
    rope: parseRope(json, { dims, maxPositions: longest }),
    tieWordEmbeddings: flag(json, 'tie_word_embeddings'),
    maxPositions: Math.min(longest, window),
    slidingWindow: window < longest ? window : null,
  }
}
