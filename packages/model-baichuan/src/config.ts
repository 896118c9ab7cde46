import {
  configError,
  fixedFlag,
  flag,
  given,
  integer,
  oneOf,
  readDecoderSizes,
  type ConfigJson,
  type DecoderSizes,
} from '@ift/core/model'

/** What a Baichuan is made of, from its config.json. */
export interface BaichuanConfig extends DecoderSizes {
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
  const sizes = readDecoderSizes(json)
  if (sizes.kvHeads !== sizes.heads)
    throw configError('num_key_value_heads', `num_attention_heads (${sizes.heads})`, sizes.kvHeads)
  oneOf(json, 'hidden_act', ['silu'])
  fixedFlag(json, 'tie_word_embeddings', false, 'The family has an output matrix of its own.')
  for (const field of ['rope_scaling', 'rope_parameters'])
    if (given(json, field))
      throw configError(
        field,
        'nothing',
        json[field],
        'The family has no longer context than it was trained with.',
      )
  const rotary = given(json, 'max_position_embeddings')
  if (!rotary && !given(json, 'model_max_length'))
    throw configError(
      'max_position_embeddings',
      'a positive integer (rotary positions), or model_max_length alone (ALiBi)',
      undefined,
    )
  const maxPositions = integer(json, rotary ? 'max_position_embeddings' : 'model_max_length')
  return {
    ...sizes,
    positions: rotary ? 'rotary' : 'alibi',
    normHead: flag(json, 'norm_head', sizes.vocabSize === secondVocabulary),
    maxPositions: rotary ? maxPositions : null,
  }
}
