import {
  configError,
  fixedFlag,
  flag,
  integer,
  oneOf,
  parseRope,
  positive,
  readDecoderSizes,
  rotaryDims,
  type ConfigJson,
  type DecoderSizes,
} from '@ift/core/model'
import { requireWholeWeights } from './whole-weights.js'

/** What a ChatGLM2, ChatGLM3 or GLM-4 is made of, from its config.json in either form. */
export interface GlmConfig extends DecoderSizes {
  /** Dimensions of a head that turn with the position, the first ones. */
  readonly rotaryDims: number
  readonly ropeTheta: number
  readonly qkvBias: boolean
  /** What attention and feed-forward give is normed before it is added to the residual (GLM-4-0414). */
  readonly outputNorms: boolean
  readonly tieWordEmbeddings: boolean
  readonly maxPositions: number
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
    fixedFlag(json, field, value, 'No published ChatGLM has this value.')
  requireWholeWeights(json)
  const heads = integer(json, 'num_attention_heads')
  const kvHeads = flag(json, 'multi_query_attention', false)
    ? integer(json, 'multi_query_group_num', 1)
    : heads
  if (heads % kvHeads !== 0)
    throw configError('multi_query_group_num', `a divisor of num_attention_heads (${heads})`, kvHeads)
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

/**
 * Reads config.json of GLM-4-9B in transformers' form (`model_type` glm) and of GLM-4-0414 (`glm4`). Defaults are
 * transformers'; sizes must be given.
 */
export function parseGlm(json: ConfigJson): GlmConfig {
  oneOf(json, 'hidden_act', ['silu'])
  const sizes = readDecoderSizes(json, { headDim: 128, kvHeads: 2, eps: 1.5625e-7 })
  const dims = rotaryDims(json, sizes.headDim, 0.5)
  const maxPositions = integer(json, 'max_position_embeddings', 131072)
  return {
    ...sizes,
    rotaryDims: dims,
    ropeTheta: parseRope(json, { dims, maxPositions, kinds: ['default'] }).theta,
    qkvBias: flag(json, 'attention_bias', true),
    outputNorms: json['model_type'] === 'glm4' || String(json['architectures']).includes('Glm4'),
    tieWordEmbeddings: flag(json, 'tie_word_embeddings', false),
    maxPositions,
  }
}
