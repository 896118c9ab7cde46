import type { GgufMapping } from '@ift/core'
import {
  ggufDecoderConfig,
  ggufDecoderKeys,
  ggufKeys,
  ggufModules,
  integer,
  llamaGgufNames,
  ropeTables,
} from '@ift/core/model'
import { parseConfig } from './config.js'

const {
  'model.layers.*.self_attn.q_proj': _q,
  'model.layers.*.self_attn.k_proj': _k,
  'model.layers.*.self_attn.v_proj': _v,
  'model.layers.*.mlp.gate_proj': _gate,
  'model.layers.*.mlp.up_proj': _up,
  ...names
} = llamaGgufNames

/** Names and keys of llama.cpp's `phi3` architecture. A window of 0 marks Phi-4, which has none. */
export const gguf: GgufMapping = {
  architectures: ['phi3'],
  tables: [ropeTables.long, ropeTables.short],
  config(facts) {
    const window = ggufKeys(facts).number('attention.sliding_window')
    return {
      architectures: ['Phi3ForCausalLM'],
      ...ggufDecoderConfig(facts),
      sliding_window: window === undefined || window === 0 ? null : window,
    }
  },
  describe(json) {
    const config = parseConfig(json)
    const maxPositions = integer(json, 'max_position_embeddings', 4096)
    const { keys, tables } = ggufDecoderKeys({ ...config, maxPositions })
    return {
      architecture: 'phi3',
      keys: {
        ...keys,
        'rope.scaling.original_context_length':
          keys['rope.scaling.original_context_length'] ?? ({ u32: maxPositions } as const),
        'attention.sliding_window': { u32: config.slidingWindow ?? 0 },
      },
      ...(tables === undefined ? {} : { tables }),
    }
  },
  modules: () =>
    ggufModules({
      ...names,
      'model.layers.*.self_attn.qkv_proj': 'blk.*.attn_qkv',
      'model.layers.*.mlp.gate_up_proj': 'blk.*.ffn_up',
    }),
}
