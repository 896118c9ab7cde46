import type { GgufFacts, GgufMapping, GgufModule } from '@ift/core'
import {
  ggufDecoderConfig,
  ggufDecoderKeys,
  ggufKeys,
  ggufModules,
  llamaGgufNames,
  notInGguf,
  type GgufNameTable,
} from '@ift/core/model'
import { isChatGlm1 } from './chatglm1-config.js'
import { parseChatGlm, parseGlm } from './config.js'

/** config.json in the form of ChatGLM's own code. */
function ownConfig(facts: GgufFacts): Record<string, unknown> {
  const config = ggufDecoderConfig(facts)
  const { number } = ggufKeys(facts)
  return {
    architectures: ['ChatGLMModel'],
    model_type: 'chatglm',
    padded_vocab_size: config['vocab_size'],
    hidden_size: config['hidden_size'],
    ffn_hidden_size: config['intermediate_size'],
    num_layers: config['num_hidden_layers'],
    num_attention_heads: config['num_attention_heads'],
    multi_query_attention: true,
    multi_query_group_num: config['num_key_value_heads'],
    kv_channels: config['head_dim'],
    seq_length: config['max_position_embeddings'],
    layernorm_epsilon: config['rms_norm_eps'],
    rope_ratio: (number('rope.freq_base') ?? 10000) / 10000,
    add_qkv_bias: facts.shapes.has('blk.0.attn_qkv.bias'),
    tie_word_embeddings: false,
    eos_token_id: config['eos_token_id'],
  }
}

/** config.json in the form of transformers. */
const hfConfig = (facts: GgufFacts): Record<string, unknown> => {
  const config = ggufDecoderConfig(facts)
  const fourth = config['model_type'] === 'glm4'
  return {
    architectures: [fourth ? 'Glm4ForCausalLM' : 'GlmForCausalLM'],
    ...config,
    model_type: fourth ? 'glm4' : 'glm',
    attention_bias: facts.shapes.has('blk.0.attn_q.bias'),
  }
}

const ownModules: readonly GgufModule[] = ggufModules({
  'transformer.embedding.word_embeddings': 'token_embd',
  'transformer.encoder.final_layernorm': 'output_norm',
  'transformer.output_layer': 'output',
  'transformer.encoder.layers.*.input_layernorm': 'blk.*.attn_norm',
  'transformer.encoder.layers.*.self_attention.query_key_value': 'blk.*.attn_qkv',
  'transformer.encoder.layers.*.self_attention.dense': 'blk.*.attn_output',
  'transformer.encoder.layers.*.post_attention_layernorm': 'blk.*.ffn_norm',
  'transformer.encoder.layers.*.mlp.dense_h_to_4h': 'blk.*.ffn_up',
  'transformer.encoder.layers.*.mlp.dense_4h_to_h': 'blk.*.ffn_down',
})

function hfModules({ model_type: type }: Readonly<Record<string, unknown>>): readonly GgufModule[] {
  const { 'model.layers.*.mlp.gate_proj': _gate, 'model.layers.*.mlp.up_proj': up, ...names } = llamaGgufNames
  const behind: GgufNameTable =
    type === 'glm4'
      ? {
          'model.layers.*.post_self_attn_layernorm': 'blk.*.post_attention_norm',
          'model.layers.*.post_mlp_layernorm': 'blk.*.post_ffw_norm',
        }
      : {}
  return ggufModules({ ...names, ...behind, 'model.layers.*.mlp.gate_up_proj': up })
}

/**
 * Names and keys of llama.cpp's `chatglm` and `glm4` architectures, which turn neighbouring dimensions as the family does. A `chatglm` file
 * has one matrix for queries, keys and values where it was made from ChatGLM's own layout, and three where from transformers'.
 */
export const gguf: GgufMapping = {
  architectures: ['chatglm', 'glm4'],
  config: (facts) => (facts.shapes.has('blk.0.attn_qkv.weight') ? ownConfig(facts) : hfConfig(facts)),
  describe(json) {
    const own = json['model_type'] === 'chatglm'
    if (own && isChatGlm1(json))
      throw notInGguf(
        'position_encoding_2d',
        true,
        'llama.cpp reads no prompt in both directions, with positions in two dimensions, as ChatGLM-6B does.',
      )
    const config = own ? parseChatGlm(json) : parseGlm(json)
    const rope = { kind: 'default', theta: config.ropeTheta } as const
    return {
      architecture: config.outputNorms ? 'glm4' : 'chatglm',
      ...ggufDecoderKeys({ ...config, rope }),
    }
  },
  modules: (json) => (json['model_type'] === 'chatglm' ? ownModules : hfModules(json)),
}
