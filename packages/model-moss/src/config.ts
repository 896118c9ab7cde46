import { configError, integer, positive, type ConfigJson } from '@ift/core/model'

/** What a MOSS, CodeGen or GPT-J is made of, from its config.json. */
export interface MossConfig {
  readonly vocabSize: number
  readonly hidden: number
  readonly intermediate: number
  readonly layers: number
  readonly heads: number
  /** First dimensions of a head that positions rotate. */
  readonly rotaryDim: number
  readonly maxPositions: number
  readonly eps: number
  /** q, k and v come from one matrix in four groups, each ordered q, v, k (CodeGen), or from three (GPT-J). */
  readonly fused: boolean
  /** Deviation of untrained weights. */
  readonly std: number
}

/**
 * Reads config.json of MOSS-moon-003 and CodeGen (`fused`) or GPT-J. Defaults are those of transformers' CodeGenConfig; sizes
 * must be given. Dropout is not applied: it is 0 in the published configs.
 */
export function parseConfig(json: ConfigJson, fused: boolean): MossConfig {
  const hidden = integer(json, 'n_embd')
  const heads = integer(json, 'n_head')
  if (hidden % heads !== 0) throw configError('n_embd', `a multiple of n_head (${heads})`, hidden)
  if (fused && heads % 4 !== 0)
    throw configError('n_head', 'a multiple of 4, the groups of the fused projection', heads)
  // CodeGen2 1B and 3.7B order q, v and k in eight groups, which only their own code says: no field of theirs and no shape does.
  const { architectures, auto_map: code } = json
  if (Array.isArray(architectures) && architectures.includes('CodeGenForCausalLM') && code != null)
    throw configError(
      'auto_map',
      'none: the groups of CodeGen',
      code,
      'CodeGen2 comes with code of its own for another order of q, v and k, which ift does not read.',
    )
  const headDim = hidden / heads
  const rotaryDim = integer(json, 'rotary_dim', 64)
  if (rotaryDim % 2 !== 0 || rotaryDim > headDim)
    throw configError('rotary_dim', `an even number up to the ${headDim} dimensions of a head`, rotaryDim)
  const activation = json['activation_function'] ?? 'gelu_new'
  if (activation !== 'gelu_new' && activation !== 'gelu_pytorch_tanh')
    throw configError(
      'activation_function',
      '"gelu_new"',
      activation,
      'This activation is of another family.',
    )
  if ((json['tie_word_embeddings'] ?? false) !== false)
    throw configError('tie_word_embeddings', 'false', json['tie_word_embeddings'])
  const bits = json['wbits'] ?? 32
  if (bits !== 32)
    throw configError(
      'wbits',
      '32',
      bits,
      'Use the release that is not quantised: MOSS-moon-003-sft and the like.',
    )
  return {
    vocabSize: integer(json, 'vocab_size'),
    hidden,
    intermediate: integer(json, 'n_inner', 4 * hidden),
    layers: integer(json, 'n_layer'),
    heads,
    rotaryDim,
    maxPositions: integer(json, 'n_positions', 2048),
    eps: positive(json, 'layer_norm_epsilon', 1e-5),
    fused,
    std: positive(json, 'initializer_range', 0.02),
  }
}
