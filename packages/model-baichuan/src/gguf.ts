import type { GgufMapping } from '@ift/core'
import {
  consecutive,
  ggufDecoderConfig,
  ggufHeads,
  ggufKeys,
  ggufModules,
  llamaGgufNames,
} from '@ift/core/model'
import { parseConfig } from './config.js'

const {
  'model.layers.*.self_attn.q_proj': q,
  'model.layers.*.self_attn.k_proj': k,
  'model.layers.*.self_attn.v_proj': v,
  ...names
} = llamaGgufNames

/** Layers of the 13B models: llama.cpp tells by them that there are biases in place of positions. */
const alibiLayers = 40

/** Names and keys of llama.cpp's `baichuan` architecture, which takes queries, keys and values apart. */
export const gguf: GgufMapping = {
  architectures: ['baichuan'],
  config(facts) {
    const { number } = ggufKeys(facts)
    const { max_position_embeddings: length, rope_theta: _, ...config } = ggufDecoderConfig(facts)
    const bias = number('attention.max_alibi_bias')
    const alibi = bias === undefined ? config['num_hidden_layers'] === alibiLayers : bias > 0
    return {
      architectures: ['BaichuanForCausalLM'],
      ...config,
      ...(alibi ? { model_max_length: length } : { max_position_embeddings: length }),
    }
  },
  modules(json) {
    const { heads, headDim } = parseConfig(json)
    const module = 'model.layers.*.self_attn.W_pack'
    return ggufModules(
      { ...names, [module]: [q, k, v] },
      { rows: { [module]: ggufHeads(consecutive(heads, heads, heads), headDim, [true, true, false]) } },
    )
  },
}
