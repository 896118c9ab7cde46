import {
  configError,
  flag,
  integer,
  longestSequence,
  parseRope,
  positive,
  rotaryPart,
  windowedLayers,
  type ConfigJson,
  type RopeConfig,
} from '@ift/core/model'

/** What a Qwen is made of, from its config.json. */
export interface QwenConfig {
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
  /** Biases of q, k and v: always in Qwen2, by `attention_bias` in Qwen3. */
  readonly qkvBias: boolean
  readonly outputBias: boolean
  /** RMSNorm over each head of q and k (Qwen3). */
  readonly headNorms: boolean
  readonly maxPositions: number
}

/** The first position that not every layer may attend to all of, or null: windows bound later layers alone. */
function slidingWindow(json: ConfigJson, layers: number): number | null {
  const named = windowedLayers(json, layers)
  if (!flag(json, 'use_sliding_window') || (json['sliding_window'] ?? null) === null) return null
  if (named !== null) return named.includes(true) ? integer(json, 'sliding_window') : null
  const full = json['max_window_layers'] ?? 28
  if (!Number.isSafeInteger(full) || (full as number) < 0)
    throw configError('max_window_layers', 'a whole number', full)
  return (full as number) < layers ? integer(json, 'sliding_window') : null
}

/** Reads config.json of Qwen2, Qwen2.5 and Qwen3, dense. Sizes must be given; other defaults are transformers'. */
export function parseConfig(json: ConfigJson): QwenConfig {
  const third = json['model_type'] === 'qwen3' || String(json['architectures']).includes('Qwen3')
  const hidden = integer(json, 'hidden_size')
  const heads = integer(json, 'num_attention_heads')
  const kvHeads = integer(json, 'num_key_value_heads', heads)
  if (heads % kvHeads !== 0)
    throw configError('num_key_value_heads', `a divisor of num_attention_heads (${heads})`, kvHeads)
  const ownHeadDim = (json['head_dim'] ?? null) !== null
  if (!ownHeadDim && !third && hidden % heads !== 0)
    throw configError(
      'hidden_size',
      `a multiple of num_attention_heads (${heads}), as there is no head_dim`,
      hidden,
    )
  const headDim = integer(json, 'head_dim', third ? 128 : hidden / heads)
  if (headDim % 2 !== 0) throw configError('head_dim', 'an even number', headDim)
  const act = json['hidden_act'] ?? 'silu'
  if (act !== 'silu') throw configError('hidden_act', '"silu"', act, 'This activation is of another family.')
  const layers = integer(json, 'num_hidden_layers')
  const part = rotaryPart(json)
  if (part !== 1) throw configError('partial_rotary_factor', '1', part, 'It belongs to another family.')
  const trained = integer(json, 'max_position_embeddings', 32768)
  const rope = parseRope(json, { dims: headDim, maxPositions: trained })
  const maxPositions = longestSequence(rope, trained)
  return {
    vocabSize: integer(json, 'vocab_size'),
    hidden,
    intermediate: integer(json, 'intermediate_size'),
    layers,
    heads,
    kvHeads,
    headDim,
    eps: positive(json, 'rms_norm_eps', 1e-6),
    rope,
    tieWordEmbeddings: flag(json, 'tie_word_embeddings'),
    qkvBias: third ? flag(json, 'attention_bias') : true,
    outputBias: third && flag(json, 'attention_bias'),
    headNorms: third,
    // Up to the window it bounds nothing; beyond it is not built.
    maxPositions: Math.min(maxPositions, slidingWindow(json, layers) ?? maxPositions),
  }
}
