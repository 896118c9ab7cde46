import {
  configError,
  fixedFlag,
  flag,
  integer,
  oneOf,
  positive,
  type ConfigJson,
  type DecoderDimensions,
} from '@ift/core/model'

/** What a GPT-2 is made of, from its config.json. */
export interface Gpt2Config extends DecoderDimensions {
  /** Positions that have a row of their own. */
  readonly maxPositions: number
  readonly eps: number
  readonly gelu: 'tanh' | 'erf'
  /** Attention scores divided by sqrt(head size), as everywhere but in some reproductions. */
  readonly scaleAttention: boolean
  /** Attention scores of layer i divided by i + 1 as well (Mistral's GPT-2, Stanford CRFM). */
  readonly scaleByLayer: boolean
  readonly tieWordEmbeddings: boolean
  /** Deviation of untrained weights. */
  readonly std: number
}

/** Reads config.json of `GPT2LMHeadModel`; the defaults are those of transformers' GPT2Config, sizes must be given. */
export function parseConfig(json: ConfigJson): Gpt2Config {
  const hidden = integer(json, 'n_embd')
  const heads = integer(json, 'n_head')
  if (hidden % heads !== 0) throw configError('n_embd', `a multiple of n_head (${heads})`, hidden)
  const gelu = oneOf(json, 'activation_function', ['gelu_new', 'gelu_pytorch_tanh', 'gelu'])
  fixedFlag(json, 'add_cross_attention', false, 'A decoder beside an encoder is not supported.')
  return {
    vocabSize: integer(json, 'vocab_size'),
    hidden,
    intermediate: integer(json, 'n_inner', 4 * hidden),
    layers: integer(json, 'n_layer'),
    heads,
    maxPositions: integer(json, 'n_positions'),
    eps: positive(json, 'layer_norm_epsilon', 1e-5),
    gelu: gelu === 'gelu' ? 'erf' : 'tanh',
    scaleAttention: flag(json, 'scale_attn_weights', true),
    scaleByLayer: flag(json, 'scale_attn_by_inverse_layer_idx'),
    tieWordEmbeddings: flag(json, 'tie_word_embeddings', true),
    std: positive(json, 'initializer_range', 0.02),
  }
}
