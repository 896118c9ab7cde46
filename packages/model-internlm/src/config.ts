import {
  configError,
  flag,
  integer,
  object,
  onlyKnown,
  positive,
  ropeFields,
  type ConfigJson,
  type RopeConfig,
} from '@ift/core/model'

/** What an InternLM is made of, from its config.json. */
export interface InternLMConfig {
  readonly vocabSize: number
  readonly hidden: number
  readonly intermediate: number
  readonly layers: number
  readonly heads: number
  readonly kvHeads: number
  readonly headDim: number
  readonly eps: number
  readonly rope: RopeConfig
  /** Biases of all four matrices of attention. */
  readonly attentionBias: boolean
  readonly maxPositions: number
}

/** Sizes that both generations write alike. */
function sizes(json: ConfigJson, kvHeads: number, maxPositions: number) {
  const hidden = integer(json, 'hidden_size')
  const heads = integer(json, 'num_attention_heads')
  if (heads % kvHeads !== 0)
    throw configError('num_key_value_heads', `a divisor of num_attention_heads (${heads})`, kvHeads)
  if (hidden % (2 * heads) !== 0)
    throw configError('hidden_size', `a multiple of twice num_attention_heads (${heads})`, hidden)
  const act = json['hidden_act'] ?? 'silu'
  if (act !== 'silu') throw configError('hidden_act', '"silu"', act, 'This activation is of another family.')
  if (flag(json, 'tie_word_embeddings', false))
    throw configError('tie_word_embeddings', 'false', true, 'The family has an output matrix of its own.')
  return {
    vocabSize: integer(json, 'vocab_size'),
    hidden,
    intermediate: integer(json, 'intermediate_size'),
    layers: integer(json, 'num_hidden_layers'),
    heads,
    kvHeads,
    headDim: hidden / heads,
    eps: positive(json, 'rms_norm_eps', 1e-6),
    maxPositions,
  }
}

/** Reads config.json of InternLM, whose `rotary` has the frequencies; sizes must be given. */
export function parseConfig(json: ConfigJson): InternLMConfig {
  const maxPositions = integer(json, 'max_position_embeddings', 2048)
  const rotary = object(json, 'rotary')
  onlyKnown(rotary, 'rotary', ['base', 'type', 'scaling_factor'])
  const theta = positive(rotary, 'base', 10000, 'rotary.base')
  const kind = rotary['type'] ?? 'origin'
  if (kind !== 'origin' && kind !== 'dynamic')
    throw configError(
      'rotary.type',
      'origin or dynamic',
      kind,
      'This way of extending the context is not built.',
    )
  const factor = positive(rotary, 'scaling_factor', 1, 'rotary.scaling_factor')
  return {
    ...sizes(json, integer(json, 'num_attention_heads'), maxPositions),
    rope: kind === 'origin' ? { kind: 'default', theta } : { kind, theta, factor, maxPositions },
    attentionBias: flag(json, 'bias', true),
  }
}

/** Reads config.json of InternLM2 and InternLM2.5; sizes must be given. */
export function parseConfig2(json: ConfigJson): InternLMConfig {
  const maxPositions = integer(json, 'max_position_embeddings', 2048)
  const theta = positive(json, 'rope_theta', 10000)
  const scaling = object(json, 'rope_scaling')
  onlyKnown(scaling, 'rope_scaling', ropeFields)
  const kind = scaling['rope_type'] ?? scaling['type'] ?? 'default'
  const factor = () => positive(scaling, 'factor', undefined, 'rope_scaling.factor')
  let rope: RopeConfig
  if (kind === 'default') rope = { kind, theta }
  else if (kind === 'linear') rope = { kind, theta, factor: factor() }
  else if (kind === 'dynamic') rope = { kind, theta, factor: factor(), maxPositions }
  else
    throw configError(
      `rope_scaling.${'rope_type' in scaling ? 'rope_type' : 'type'}`,
      'default, linear or dynamic',
      kind,
      'This way of extending the context is not built.',
    )
  const heads = integer(json, 'num_attention_heads')
  return {
    ...sizes(json, integer(json, 'num_key_value_heads', heads), maxPositions),
    rope,
    attentionBias: flag(json, 'bias', true),
  }
}
