import { configError, given, integer, positive, type ConfigJson } from './fields.js'

/** Sizes of a decoder, as most families write them in config.json. */
export interface DecoderSizes {
  readonly vocabSize: number
  readonly hidden: number
  readonly intermediate: number
  readonly layers: number
  readonly heads: number
  /** Heads of keys and values, each for a group of queries. */
  readonly kvHeads: number
  /** Even, as pairs of dimensions turn. */
  readonly headDim: number
  /** Added to the mean square in RMSNorm. */
  readonly eps: number
}

/** What stands for a field that config.json lacks. */
export interface DecoderSizeDefaults {
  /** `num_key_value_heads`; as many as heads when omitted. */
  readonly kvHeads?: number
  /** `head_dim`; hidden_size / num_attention_heads when omitted. */
  readonly headDim?: number
  /** `rms_norm_eps`; 1e-6 when omitted. */
  readonly eps?: number
}

/** Reads the sizes of a decoder with rotary positions and RMSNorm. Throws IFT_MODEL_CONFIG naming the field. */
export function readDecoderSizes(json: ConfigJson, defaults: DecoderSizeDefaults = {}): DecoderSizes {
  const hidden = integer(json, 'hidden_size')
  const heads = integer(json, 'num_attention_heads')
  const kvHeads = integer(json, 'num_key_value_heads', defaults.kvHeads ?? heads)
  if (heads % kvHeads !== 0)
    throw configError('num_key_value_heads', `a divisor of num_attention_heads (${heads})`, kvHeads)
  if (!given(json, 'head_dim') && defaults.headDim === undefined && hidden % (2 * heads) !== 0)
    throw configError(
      'hidden_size',
      `a multiple of twice num_attention_heads (${heads})`,
      hidden,
      'Without head_dim the heads share hidden_size, and the dimensions of each turn in pairs.',
    )
  const headDim = integer(json, 'head_dim', defaults.headDim ?? hidden / heads)
  if (headDim % 2 !== 0) throw configError('head_dim', 'an even number', headDim)
  return {
    vocabSize: integer(json, 'vocab_size'),
    hidden,
    intermediate: integer(json, 'intermediate_size'),
    layers: integer(json, 'num_hidden_layers'),
    heads,
    kvHeads,
    headDim,
    eps: positive(json, 'rms_norm_eps', defaults.eps ?? 1e-6),
  }
}
