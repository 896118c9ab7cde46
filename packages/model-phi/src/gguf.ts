import type { GgufMapping } from '@ift/core'
import { ggufDecoderConfig, ggufKeys, ggufModules, llamaGgufNames, ropeTables } from '@ift/core/model'

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
  modules: () =>
    ggufModules({
      ...names,
      'model.layers.*.self_attn.qkv_proj': 'blk.*.attn_qkv',
      'model.layers.*.mlp.gate_up_proj': 'blk.*.ffn_up',
    }),
}
