import {
  flag,
  oneOf,
  readDecoderSizes,
  wholeRotation,
  type ConfigJson,
  type DecoderSizes,
  type RopeConfig,
} from '@ift/core/model'

/** What a model of the family is made of, from its config.json. */
export interface __Name__Config extends DecoderSizes {
  readonly rope: RopeConfig
  readonly tieWordEmbeddings: boolean
  readonly maxPositions: number
}

/** Reads config.json. Sizes must be given; what the modules do not do is refused by the name of its field. */
export function parseConfig(json: ConfigJson): __Name__Config {
  const sizes = readDecoderSizes(json)
  oneOf(json, 'hidden_act', ['silu'])
  const { rope, maxPositions } = wholeRotation(json, sizes.headDim, 2048)
  return { ...sizes, rope, maxPositions, tieWordEmbeddings: flag(json, 'tie_word_embeddings') }
}
