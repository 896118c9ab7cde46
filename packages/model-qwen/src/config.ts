import {
  configError,
  flag,
  given,
  integer,
  oneOf,
  readDecoderSizes,
  wholeRotation,
  windowedLayers,
  type ConfigJson,
  type DecoderSizes,
  type RopeConfig,
} from '@ift/core/model'

/** What a Qwen is made of, from its config.json. */
export interface QwenConfig extends DecoderSizes {
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
  if (!flag(json, 'use_sliding_window') || !given(json, 'sliding_window')) return null
  if (named !== null) return named.includes(true) ? integer(json, 'sliding_window') : null
  const full = json['max_window_layers'] ?? 28
  if (!Number.isSafeInteger(full) || (full as number) < 0)
    throw configError('max_window_layers', 'a whole number', full)
  return (full as number) < layers ? integer(json, 'sliding_window') : null
}

/** Reads config.json of Qwen2, Qwen2.5 and Qwen3, dense. Sizes must be given; other defaults are transformers'. */
export function parseConfig(json: ConfigJson): QwenConfig {
  const third = json['model_type'] === 'qwen3' || String(json['architectures']).includes('Qwen3')
  const sizes = readDecoderSizes(json, third ? { headDim: 128 } : {})
  oneOf(json, 'hidden_act', ['silu'])
  const { rope, maxPositions } = wholeRotation(json, sizes.headDim, 32768)
  return {
    ...sizes,
    rope,
    tieWordEmbeddings: flag(json, 'tie_word_embeddings'),
    qkvBias: third ? flag(json, 'attention_bias') : true,
    outputBias: third && flag(json, 'attention_bias'),
    headNorms: third,
    // Up to the window it bounds nothing; beyond it is not supported.
    maxPositions: Math.min(maxPositions, slidingWindow(json, sizes.layers) ?? maxPositions),
  }
}
