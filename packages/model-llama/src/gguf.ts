import type { GgufMapping } from '@ift/core'
import {
  consecutive,
  ggufDecoderConfig,
  ggufDecoderKeys,
  ggufHeads,
  ggufModules,
  llamaGgufNames,
  ropeTables,
} from '@ift/core/model'
import { parseConfig } from './config.js'

/** Names and keys of llama.cpp's `llama` architecture, which Mistral files use too. */
export const gguf: GgufMapping = {
  architectures: ['llama'],
  tables: [ropeTables.one, ropeTables.long, ropeTables.short],
  config: (facts) => ({
    architectures: ['LlamaForCausalLM'],
    ...ggufDecoderConfig(facts),
    attention_bias: facts.shapes.has('blk.0.attn_q.bias'),
    mlp_bias: facts.shapes.has('blk.0.ffn_gate.bias'),
  }),
  describe(json) {
    const config = parseConfig(json)
    // Up to the window it is none, and llama.cpp has none.
    const maxPositions = config.slidingWindow ?? config.maxPositions
    return { architecture: 'llama', ...ggufDecoderKeys({ ...config, maxPositions }) }
  },
  modules(json) {
    const { heads, kvHeads, headDim } = parseConfig(json)
    return ggufModules(llamaGgufNames, {
      rows: {
        'model.layers.*.self_attn.q_proj': ggufHeads(consecutive(heads), headDim, [true]),
        'model.layers.*.self_attn.k_proj': ggufHeads(consecutive(kvHeads), headDim, [true]),
      },
    })
  },
}
