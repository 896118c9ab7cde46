import { configError, flag, integer, positive, type ConfigJson } from '@ift/core/model'

/** What a Baichuan is made of, from its config.json. */
export interface BaichuanConfig {
  readonly vocabSize: number
  readonly hidden: number
  readonly intermediate: number
  readonly layers: number
  readonly heads: number
  readonly headDim: number
  readonly eps: number
  /** Rotary in the 7B models, ALiBi in the 13B models. */
  readonly positions: 'rotary' | 'alibi'
  /** Rows of the output matrix are scaled to length 1 (Baichuan2). */
  readonly normHead: boolean
  /** Null with ALiBi, which has no last position. */
  readonly maxPositions: number | null
}

/** Vocabulary of Baichuan2, whose config.json says nothing of its normed head. */
const secondVocabulary = 125696

/**
 * Reads config.json of Baichuan and Baichuan2. No field of it names the kind of positions: the rotary models have
 * `max_position_embeddings`, the ALiBi models `model_max_length` alone. `norm_head` overrides what the vocabulary says.
 */
export function parseConfig(json: ConfigJson): BaichuanConfig {
  const hidden = integer(json, 'hidden_size')
  const heads = integer(json, 'num_attention_heads')
  if (hidden % (2 * heads) !== 0)
    throw configError('hidden_size', `a multiple of twice num_attention_heads (${heads})`, hidden)
  const act = json['hidden_act'] ?? 'silu'
  if (act !== 'silu') throw configError('hidden_act', '"silu"', act, 'This activation is of another family.')
  if (flag(json, 'tie_word_embeddings', false))
    throw configError('tie_word_embeddings', 'false', true, 'The family has an output matrix of its own.')
  for (const field of ['rope_scaling', 'rope_parameters'])
    if ((json[field] ?? null) !== null)
      throw configError(
        field,
        'nothing',
        json[field],
        'The family has no longer context than it was trained with.',
      )
  const rotary = (json['max_position_embeddings'] ?? null) !== null
  if (!rotary && (json['model_max_length'] ?? null) === null)
    throw configError(
      'max_position_embeddings',
      'a positive integer (rotary positions), or model_max_length alone (ALiBi)',
      undefined,
    )
  const maxPositions = integer(json, rotary ? 'max_position_embeddings' : 'model_max_length')
  const vocabSize = integer(json, 'vocab_size')
  return {
    vocabSize,
    hidden,
    intermediate: integer(json, 'intermediate_size'),
    layers: integer(json, 'num_hidden_layers'),
    heads,
    headDim: hidden / heads,
    eps: positive(json, 'rms_norm_eps', 1e-6),
    positions: rotary ? 'rotary' : 'alibi',
    normHead: flag(json, 'norm_head', vocabSize === secondVocabulary),
    maxPositions: rotary ? maxPositions : null,
  }
}
