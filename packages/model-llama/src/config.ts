import {
  flag,
  given,
  integer,
  oneOf,
  readDecoderSizes,
  wholeRotation,
  type ConfigJson,
  type DecoderSizes,
  type RopeConfig,
} from '@ift/core/model'

/** What a LLaMA is made of, from its config.json. */
export interface LlamaConfig extends DecoderSizes {
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
  const sizes = readDecoderSizes(json)
  oneOf(json, 'hidden_act', ['silu'])
  const { rope, maxPositions } = wholeRotation(json, sizes.headDim, 2048)
  const window = given(json, 'sliding_window') ? integer(json, 'sliding_window') : maxPositions
  return {
    ...sizes,
    rope,
    tieWordEmbeddings: flag(json, 'tie_word_embeddings'),
    attentionBias: flag(json, 'attention_bias'),
    mlpBias: flag(json, 'mlp_bias'),
    maxPositions,
    slidingWindow: window < maxPositions ? window : null,
  }
}
