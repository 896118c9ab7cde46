import {
  configError,
  flag,
  given,
  integer,
  object,
  oneOf,
  parseRope,
  positive,
  rotaryPart,
  type ConfigJson,
  type RopeConfig,
} from '@ift/core/model'

/** What a Phi-3 is made of, from its config.json. */
export interface PhiConfig {
  readonly vocabSize: number
  readonly hidden: number
  readonly intermediate: number
  readonly layers: number
  readonly heads: number
  readonly kvHeads: number
  readonly headDim: number
  /** Dimensions of a head that turn with the position, the first ones. */
  readonly rotaryDims: number
  readonly eps: number
  readonly rope: RopeConfig
  readonly tieWordEmbeddings: boolean
  /** No more than the window: what lies beyond it is not built. */
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
  const hidden = integer(json, 'hidden_size')
  const heads = integer(json, 'num_attention_heads')
  const kvHeads = integer(json, 'num_key_value_heads', heads)
  if (heads % kvHeads !== 0)
    throw configError('num_key_value_heads', `a divisor of num_attention_heads (${heads})`, kvHeads)
  if (hidden % (2 * heads) !== 0)
    throw configError('hidden_size', `a multiple of twice num_attention_heads (${heads})`, hidden)
  oneOf(json, 'hidden_act', ['silu'])
  const headDim = hidden / heads
  const part = rotaryPart(json)
  const rotaryDims = Math.floor(headDim * part)
  if (rotaryDims % 2 !== 0 || rotaryDims === 0)
    throw configError('partial_rotary_factor', `an even number of the ${headDim} dimensions of a head`, part)
  const longest = integer(json, 'max_position_embeddings', 4096)
  const window = (json['sliding_window'] ?? null) === null ? longest : integer(json, 'sliding_window')
  return {
    vocabSize: integer(json, 'vocab_size'),
    hidden,
    intermediate: integer(json, 'intermediate_size'),
    layers: integer(json, 'num_hidden_layers'),
    heads,
    kvHeads,
    headDim,
    rotaryDims,
    eps: positive(json, 'rms_norm_eps', 1e-5),
    rope: parseRope(json, { dims: rotaryDims, maxPositions: longest }),
    tieWordEmbeddings: flag(json, 'tie_word_embeddings'),
    maxPositions: Math.min(longest, window),
    slidingWindow: window < longest ? window : null,
  }
}
