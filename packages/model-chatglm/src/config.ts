import { configError, flag, integer, onlyKnown, positive, ropeFields, type ConfigJson } from '@ift/core/model'

/** What a ChatGLM2, ChatGLM3 or GLM-4 is made of, from its config.json in either form. */
export interface GlmConfig {
  readonly vocabSize: number
  readonly hidden: number
  readonly intermediate: number
  readonly layers: number
  readonly heads: number
  /** Groups of heads that share a key and a value. */
  readonly kvHeads: number
  readonly headDim: number
  /** Dimensions of a head that turn with the position, the first ones. */
  readonly rotaryDims: number
  readonly ropeTheta: number
  readonly eps: number
  readonly qkvBias: boolean
  /** What attention and feed-forward give is normed before it is added to the residual (GLM-4-0414). */
  readonly outputNorms: boolean
  readonly tieWordEmbeddings: boolean
  readonly maxPositions: number
}

function groups(heads: number, kvHeads: number, field: string): number {
  if (heads % kvHeads !== 0) throw configError(field, `a divisor of num_attention_heads (${heads})`, kvHeads)
  return kvHeads
}

/** Switches of ChatGLM's own code, with the only value that a published ChatGLM2, ChatGLM3 or GLM-4 has. */
const fixedSwitches: Readonly<Record<string, boolean>> = {
  rmsnorm: true,
  post_layer_norm: true,
  apply_residual_connection_post_layernorm: false,
  add_bias_linear: false,
  interleaved_qkv: false,
  tie_word_embeddings: false,
}

/** Reads config.json of ChatGLM2-6B, ChatGLM3-6B and GLM-4-9B in the form of their own code (`model_type` chatglm). */
export function parseChatGlm(json: ConfigJson): GlmConfig {
  for (const [field, value] of Object.entries(fixedSwitches))
    if (flag(json, field, value) !== value)
      throw configError(field, String(value), json[field], 'No published ChatGLM has this value.')
  if ((json['pre_seq_len'] ?? null) !== null)
    throw configError('pre_seq_len', 'null', json['pre_seq_len'], 'P-tuning v2 checkpoints are not read.')
  if ((json['quantization_bit'] ?? 0) !== 0)
    throw configError('quantization_bit', '0', json['quantization_bit'], 'Use the checkpoint in float16.')
  const heads = integer(json, 'num_attention_heads')
  const kvHeads = flag(json, 'multi_query_attention', false)
    ? groups(heads, integer(json, 'multi_query_group_num', 1), 'multi_query_group_num')
    : heads
  const headDim = integer(json, 'kv_channels', 128)
  if (headDim % 4 !== 0) throw configError('kv_channels', 'a multiple of 4, as half of it turns', headDim)
  return {
    vocabSize: integer(json, 'padded_vocab_size'),
    hidden: integer(json, 'hidden_size'),
    intermediate: integer(json, 'ffn_hidden_size'),
    layers: integer(json, 'num_layers'),
    heads,
    kvHeads,
    headDim,
    rotaryDims: headDim / 2,
    ropeTheta: 10000 * positive(json, 'rope_ratio', 1),
    eps: positive(json, 'layernorm_epsilon', 1e-5),
    qkvBias: flag(json, 'add_qkv_bias', false),
    outputNorms: false,
    tieWordEmbeddings: false,
    maxPositions: integer(json, 'seq_length', 2048),
  }
}

/** theta and the part of a head that turns, from `rope_parameters`, which transformers 5 writes, or the top level. */
function rotation(json: ConfigJson): { theta: number; part: number } {
  const field = (json['rope_parameters'] ?? null) === null ? 'rope_scaling' : 'rope_parameters'
  const given = json[field] ?? {}
  if (typeof given !== 'object' || Array.isArray(given)) throw configError(field, 'an object', given)
  const own = given as ConfigJson
  onlyKnown(own, field, ropeFields)
  const kind = own['rope_type'] ?? own['type'] ?? 'default'
  if (kind !== 'default')
    throw configError(
      `${field}.${'rope_type' in own ? 'rope_type' : 'type'}`,
      '"default"',
      kind,
      'Remove the field to use the context that the model was trained with.',
    )
  const from = (name: string) => ((own[name] ?? null) === null ? json : own)
  const part = positive(from('partial_rotary_factor'), 'partial_rotary_factor', 0.5)
  if (part > 1) throw configError('partial_rotary_factor', 'at most 1', part)
  return { theta: positive(from('rope_theta'), 'rope_theta', 10000), part }
}

/**
 * Reads config.json of GLM-4-9B in transformers' form (`model_type` glm) and of GLM-4-0414 (`glm4`). Defaults are
 * transformers'; sizes must be given.
 */
export function parseGlm(json: ConfigJson): GlmConfig {
  const act = json['hidden_act'] ?? 'silu'
  if (act !== 'silu') throw configError('hidden_act', '"silu"', act, 'This activation is of another family.')
  const heads = integer(json, 'num_attention_heads')
  const headDim = integer(json, 'head_dim', 128)
  const { theta, part } = rotation(json)
  const rotaryDims = Math.floor(headDim * part)
  if (rotaryDims % 2 !== 0 || rotaryDims === 0)
    throw configError('partial_rotary_factor', `an even number of the ${headDim} dimensions of a head`, part)
  return {
    vocabSize: integer(json, 'vocab_size'),
    hidden: integer(json, 'hidden_size'),
    intermediate: integer(json, 'intermediate_size'),
    layers: integer(json, 'num_hidden_layers'),
    heads,
    kvHeads: groups(heads, integer(json, 'num_key_value_heads', 2), 'num_key_value_heads'),
    headDim,
    rotaryDims,
    ropeTheta: theta,
    eps: positive(json, 'rms_norm_eps', 1.5625e-7),
    qkvBias: flag(json, 'attention_bias', true),
    outputNorms: json['model_type'] === 'glm4' || String(json['architectures']).includes('Glm4'),
    tieWordEmbeddings: flag(json, 'tie_word_embeddings', false),
    maxPositions: integer(json, 'max_position_embeddings', 131072),
  }
}
