import type { GgufMapping } from '@ift/core'
import {
  consecutive,
  ggufDecoderConfig,
  ggufDecoderKeys,
  ggufHeads,
  ggufKeys,
  ggufModules,
  integer,
  llamaGgufNames,
  notInGguf,
} from '@ift/core/model'
import { parseConfig } from './config.js'

const {
  'model.layers.*.self_attn.q_proj': q,
  'model.layers.*.self_attn.k_proj': k,
  'model.layers.*.self_attn.v_proj': v,
  ...names
} = llamaGgufNames

/** Layers of the 13B and 7B models: llama.cpp tells by them whether there are biases in place of positions. */
const alibiLayers = 40
const rotaryLayers = 32

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
  describe(json) {
    const config = parseConfig(json)
    const alibi = config.positions === 'alibi'
    const layers = alibi ? alibiLayers : rotaryLayers
    if (config.layers !== layers)
      throw notInGguf(
        'num_hidden_layers',
        config.layers,
        `llama.cpp knows Baichuan with ${alibi ? 'ALiBi' : 'rotary positions'} by its ${layers} layers.`,
      )
    const rope = alibi ? null : ({ kind: 'default', theta: 10000 } as const)
    const maxPositions = config.maxPositions ?? integer(json, 'model_max_length')
    return {
      architecture: 'baichuan',
      ...ggufDecoderKeys({ ...config, rope, maxPositions }),
      general: { 'baichuan.tensor_data_layout': 'Meta AI original pth' },
    }
  },
  modules(json) {
    const { heads, headDim, normHead } = parseConfig(json)
    const module = 'model.layers.*.self_attn.W_pack'
    const rows = { [module]: ggufHeads(consecutive(heads, heads, heads), headDim, [true, true, false]) }
    // llama.cpp multiplies by the rows of the head as they lie in the file.
    return ggufModules({ ...names, [module]: [q, k, v] }, { rows }).map((one) =>
      normHead && one.module === 'lm_head' ? { ...one, unit: true } : one,
    )
  },
}
