import {
  configError,
  flag,
  integer,
  longestSequence,
  parseRope,
  positive,
  rotaryPart,
  type ConfigJson,
  type RopeConfig,
} from '@ift/core/model'

/** What a LLaMA is made of, from its config.json. */
export interface LlamaConfig {
  readonly vocabSize: number
  readonly hidden: number
  readonly intermediate: number
  readonly layers: number
  readonly heads: number
  readonly kvHeads: number
  readonly headDim: number
  readonly eps: number
  readonly rope: RopeConfig
  readonly tieWordEmbeddings: boolean
  readonly attentionBias: boolean
  readonly mlpBias: boolean
  readonly maxPositions: number
  /** Keys that a query of Mistral sees at most; sequences up to this length need no window. */
  readonly slidingWindow: number | null
}

/**
 * Reads config.json of LLaMA 1 to 3, Mistral, TinyLlama, SmolLM2 and others of this form. Defaults are those of
 * transformers' LlamaConfig; sizes must be given.
 */
export function parseConfig(json: ConfigJson): LlamaConfig {
  const hidden = integer(json, 'hidden_size')
  const heads = integer(json, 'num_attention_heads')
  const kvHeads = integer(json, 'num_key_value_heads', heads)
  if (heads % kvHeads !== 0) {
    throw configError('num_key_value_heads', `a divisor of num_attention_heads (${heads})`, kvHeads)
  }
  if ((json['head_dim'] ?? null) === null && hidden % heads !== 0) {
    throw configError(
      'hidden_size',
      `a multiple of num_attention_heads (${heads}), as there is no head_dim`,
      hidden,
    )
  }
  const headDim = integer(json, 'head_dim', hidden / heads)
  if (headDim % 2 !== 0) throw configError('head_dim', 'an even number', headDim)
  const act = json['hidden_act'] ?? 'silu'
  if (act !== 'silu') throw configError('hidden_act', '"silu"', act, 'This activation is of another family.')
  const maxPositions = integer(json, 'max_position_embeddings', 2048)
  const part = rotaryPart(json)
  if (part !== 1) throw configError('partial_rotary_factor', '1', part, 'It belongs to another family.')
  const rope = parseRope(json, { dims: headDim, maxPositions })
  const longest = longestSequence(rope, maxPositions)
  const window = json['sliding_window'] ?? null
  const slidingWindow = window === null ? null : integer(json, 'sliding_window')
  return {
    vocabSize: integer(json, 'vocab_size'),
    hidden,
    intermediate: integer(json, 'intermediate_size'),
    layers: integer(json, 'num_hidden_layers'),
    heads,
    kvHeads,
    headDim,
    eps: positive(json, 'rms_norm_eps', 1e-6),
    rope,
    tieWordEmbeddings: flag(json, 'tie_word_embeddings'),
    attentionBias: flag(json, 'attention_bias'),
    mlpBias: flag(json, 'mlp_bias'),
    maxPositions: longest,
    slidingWindow: slidingWindow !== null && slidingWindow < longest ? slidingWindow : null,
  }
}
