import {
  configError,
  fixedFlag,
  flag,
  integer,
  object,
  oneOf,
  onlyKnown,
  parseRope,
  positive,
  readDecoderSizes,
  type ConfigJson,
  type DecoderSizes,
  type RopeConfig,
} from '@ift/core/model'

/** What an InternLM is made of, from its config.json. */
export interface InternLMConfig extends DecoderSizes {
  readonly rope: RopeConfig
  /** Biases of all four matrices of attention. */
  readonly attentionBias: boolean
  readonly maxPositions: number
}

/** What both generations write alike. */
function common(json: ConfigJson) {
  oneOf(json, 'hidden_act', ['silu'])
  fixedFlag(json, 'tie_word_embeddings', false, 'The family has an output matrix of its own.')
  return {
    ...readDecoderSizes(json),
    attentionBias: flag(json, 'bias', true),
    maxPositions: integer(json, 'max_position_embeddings', 2048),
  }
}

/** Reads config.json of InternLM, whose `rotary` has the frequencies; sizes must be given. */
export function parseConfig(json: ConfigJson): InternLMConfig {
  const sizes = common(json)
  const rotary = object(json, 'rotary')
  onlyKnown(rotary, 'rotary', ['base', 'type', 'scaling_factor'])
  const theta = positive(rotary, 'base', 10000, 'rotary.base')
  const kind = rotary['type'] ?? 'origin'
  if (kind !== 'origin' && kind !== 'dynamic')
    throw configError(
      'rotary.type',
      'origin or dynamic',
      kind,
      'This way of extending the context is not supported.',
    )
  const factor = positive(rotary, 'scaling_factor', 1, 'rotary.scaling_factor')
  const { maxPositions } = sizes
  return {
    ...sizes,
    rope: kind === 'origin' ? { kind: 'default', theta } : { kind, theta, factor, maxPositions },
  }
}

/** Reads config.json of InternLM2 and InternLM2.5; sizes must be given. */
export function parseConfig2(json: ConfigJson): InternLMConfig {
  const sizes = common(json)
  const { headDim: dims, maxPositions } = sizes
  return {
    ...sizes,
    rope: parseRope(json, { dims, maxPositions, kinds: ['default', 'linear', 'dynamic'] }),
  }
}
