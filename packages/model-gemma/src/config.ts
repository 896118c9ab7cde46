import {
  configError,
  fixedFlag,
  flag,
  given,
  integer,
  object,
  oneOf,
  onlyKnown,
  parseRope,
  positive,
  readDecoderSizes,
  windowedLayers,
  type ConfigJson,
  type DecoderSizes,
  type RopeConfig,
} from '@ift/core/model'

/** What a Gemma is made of, from its config.json. */
export interface GemmaConfig extends DecoderSizes {
  /** Factor of the scores of attention. */
  readonly scale: number
  readonly rope: RopeConfig
  /** Frequencies of the layers that see a window of the sequence only (Gemma 3). */
  readonly localRope: RopeConfig
  /** Of each layer, whether it sees a window only. */
  readonly local: readonly boolean[]
  /** Norms behind attention and feed-forward too, and over the heads of q and k (Gemma 3). */
  readonly third: boolean
  readonly attentionBias: boolean
  readonly tieWordEmbeddings: boolean
  /** No more than the window: what lies beyond it is not supported. */
  readonly maxPositions: number
}

/** Sizes and switches that both generations write alike. */
function common(json: ConfigJson) {
  for (const field of ['attn_logit_softcapping', 'final_logit_softcapping'])
    if (given(json, field))
      throw configError(field, 'null', json[field], 'Soft-capping, as in Gemma 2, is not supported.')
  fixedFlag(json, 'use_bidirectional_attention', false, 'This is an encoder.')
  return {
    ...readDecoderSizes(json, { headDim: 256 }),
    attentionBias: flag(json, 'attention_bias'),
    tieWordEmbeddings: flag(json, 'tie_word_embeddings', true),
  }
}

/** Reads config.json of Gemma 2B and 7B. Defaults are those of transformers' GemmaConfig; sizes must be given. */
export function parseGemma(json: ConfigJson): GemmaConfig {
  const sizes = common(json)
  // The first configs say "gelu" and mean the approximation that the model was trained with.
  oneOf(json, given(json, 'hidden_activation') ? 'hidden_activation' : 'hidden_act', [
    'gelu_pytorch_tanh',
    'gelu',
  ])
  const maxPositions = integer(json, 'max_position_embeddings', 8192)
  const rope = parseRope(json, { dims: sizes.headDim, maxPositions })
  return {
    ...sizes,
    scale: sizes.headDim ** -0.5,
    rope,
    localRope: rope,
    local: Array.from({ length: sizes.layers }, () => false),
    third: false,
    maxPositions,
  }
}

/** Which layers see a window only: `layer_types`, or all but every `sliding_window_pattern`-th. */
function localLayers(json: ConfigJson, layers: number): boolean[] {
  const named = windowedLayers(json, layers)
  if (named !== null) return named
  const pattern = integer(json, 'sliding_window_pattern', 6)
  return Array.from({ length: layers }, (_, i) => (i + 1) % pattern !== 0)
}

/** Reads config.json of Gemma 3, text only. Defaults are those of transformers' Gemma3TextConfig; sizes must be given. */
export function parseGemma3(json: ConfigJson): GemmaConfig {
  const sizes = common(json)
  oneOf(json, 'hidden_activation', ['gelu_pytorch_tanh'])
  const local = localLayers(json, sizes.layers)
  const trained = integer(json, 'max_position_embeddings', 131072)
  const maxPositions =
    local.includes(true) && given(json, 'sliding_window')
      ? Math.min(trained, integer(json, 'sliding_window'))
      : trained
  const limits = { dims: sizes.headDim, maxPositions: trained }
  // transformers 5 writes both kinds of layers under rope_parameters.
  const rotation = object(json, 'rope_parameters')
  const { rope_theta, rope_scaling } = json
  const whole = given(rotation, 'full_attention')
    ? { rope_parameters: rotation['full_attention'] }
    : { rope_theta, rope_scaling }
  onlyKnown(rotation, 'rope_parameters', ['full_attention', 'sliding_attention'])
  const localTheta = positive(json, 'rope_local_base_freq', 10_000)
  const windowed = given(rotation, 'sliding_attention')
    ? { rope_parameters: rotation['sliding_attention'] }
    : {}
  return {
    ...sizes,
    scale: positive(json, 'query_pre_attn_scalar', 256) ** -0.5,
    rope: parseRope(whole, { ...limits, theta: 1_000_000 }),
    localRope: parseRope(windowed, { ...limits, theta: localTheta }),
    local,
    third: true,
    maxPositions,
  }
}
