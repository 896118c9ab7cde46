import { configError, flag, given, integer, positive, type ConfigJson } from '@ift/core/model'
import { requireWholeWeights } from './whole-weights.js'

/** What ChatGLM-6B, the first version, is made of. */
export interface ChatGlm1Config {
  readonly vocabSize: number
  readonly hidden: number
  readonly intermediate: number
  readonly layers: number
  readonly heads: number
  readonly eps: number
  readonly maxPositions: number
  /** `<sop>`: starts the generated part; all tokens before it are the prompt, read in both directions. */
  readonly startId: number
  /** `[gMASK]` and `[MASK]`: one of them in the prompt marks the place of the generated part. */
  readonly gmaskId: number
  readonly maskId: number
}

/** Whether config.json is of the first version: it alone has positions in two dimensions. */
export const isChatGlm1 = (json: ConfigJson): boolean =>
  (json['position_encoding_2d'] ?? false) !== false || given(json, 'inner_hidden_size')

/** Reads config.json of ChatGLM-6B. Ids that it leaves out are those of the published model. */
export function parseChatGlm1(json: ConfigJson): ChatGlm1Config {
  if (!flag(json, 'position_encoding_2d', true))
    throw configError(
      'position_encoding_2d',
      'true',
      json['position_encoding_2d'],
      'No published ChatGLM-6B has one-dimensional positions.',
    )
  requireWholeWeights(json)
  const hidden = integer(json, 'hidden_size')
  const heads = integer(json, 'num_attention_heads')
  if (hidden % heads !== 0 || (hidden / heads) % 4 !== 0)
    throw configError(
      'num_attention_heads',
      `a divisor of hidden_size (${hidden}) that leaves heads of a multiple of 4 dimensions`,
      heads,
    )
  const vocabSize = integer(json, 'vocab_size')
  const id = (field: string, fallback: number) => {
    const value = integer(json, field, fallback)
    if (value >= vocabSize) throw configError(field, `an id below vocab_size (${vocabSize})`, value)
    return value
  }
  const startId = id('bos_token_id', 130004)
  const gmaskId = id('gmask_token_id', 130001)
  const maskId = id('mask_token_id', 130000)
  // The first release counted 20000 tokens of images in front, and its positions were others.
  if (vocabSize === 150528 || startId === 150004)
    throw configError(
      'vocab_size',
      'that of the final release, 130528',
      vocabSize,
      'This is the first release of ChatGLM-6B, whose ids and positions are others. Use the final one.',
    )
  return {
    vocabSize,
    hidden,
    intermediate: integer(json, 'inner_hidden_size', 4 * hidden),
    layers: integer(json, 'num_layers'),
    heads,
    eps: positive(json, 'layernorm_epsilon', 1e-5),
    maxPositions: integer(json, 'max_sequence_length', 2048),
    startId,
    gmaskId,
    maskId,
  }
}
