import { configError, flag, given, integer, positive, type ConfigJson } from '@ift/core/model'

/** What a BLOOM is made of, from its config.json. */
export interface BloomConfig {
  readonly vocabSize: number
  readonly hidden: number
  readonly layers: number
  readonly heads: number
  readonly eps: number
  /** The residual is what the norm before attention or feed-forward gives, not what it takes. */
  readonly residualAfterNorm: boolean
  readonly tieWordEmbeddings: boolean
  /** Deviation of untrained weights. */
  readonly std: number
}

/** A size that configs write under one of several names; where several are given they must agree. */
function size(json: ConfigJson, ...names: readonly string[]): number {
  const present = names.filter((name) => given(json, name))
  const name = present[0] ?? names[0]!
  const value = integer(json, name, undefined, present.length > 0 ? name : names.join(' or '))
  for (const other of present)
    if (json[other] !== value) throw configError(other, `the same as ${name} (${value})`, json[other])
  return value
}

/**
 * Reads config.json of BLOOM and BLOOMZ in both spellings that were published (`n_embed` or `hidden_size`, `n_head` or
 * `num_attention_heads`, `n_layer` or `num_hidden_layers`). Defaults are those of transformers' BloomConfig; sizes must be
 * given. Dropout is not applied: it is 0 in every published config.
 */
export function parseConfig(json: ConfigJson): BloomConfig {
  const hidden = size(json, 'hidden_size', 'n_embed')
  const heads = size(json, 'n_head', 'num_attention_heads')
  if (hidden % heads !== 0)
    throw configError(
      given(json, 'hidden_size') ? 'hidden_size' : 'n_embed',
      `a multiple of the ${heads} heads`,
      hidden,
    )
  if (given(json, 'n_inner') && json['n_inner'] !== 4 * hidden)
    throw configError('n_inner', `null or ${4 * hidden}, four times the hidden size`, json['n_inner'])
  return {
    vocabSize: integer(json, 'vocab_size'),
    hidden,
    layers: size(json, 'n_layer', 'num_hidden_layers'),
    heads,
    eps: positive(json, 'layer_norm_epsilon', 1e-5),
    residualAfterNorm: flag(json, 'apply_residual_connection_post_layernorm', false),
    tieWordEmbeddings: flag(json, 'tie_word_embeddings', true),
    std: positive(json, 'initializer_range', 0.02),
  }
}
