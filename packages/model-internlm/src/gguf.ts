import type { GgufMapping } from '@ift/core'
import { ggufDecoderConfig, ggufHeads, ggufModules, grouped } from '@ift/core/model'
import { parseConfig2 } from './config.js'

/**
 * Names and keys of llama.cpp's `internlm2` architecture, which takes queries, keys and values apart. InternLM of the first generation has
 * none of its own.
 */
export const gguf: GgufMapping = {
  architectures: ['internlm2'],
  config: (facts) => ({
    architectures: ['InternLM2ForCausalLM'],
    ...ggufDecoderConfig(facts),
    bias: facts.shapes.has('blk.0.attn_q.bias'),
  }),
  modules(json) {
    const { heads, kvHeads, headDim } = parseConfig2(json)
    return ggufModules(
      {
        'model.tok_embeddings': 'token_embd',
        'model.norm': 'output_norm',
        output: 'output',
        'model.layers.*.attention_norm': 'blk.*.attn_norm',
        'model.layers.*.attention.wqkv': ['blk.*.attn_q', 'blk.*.attn_k', 'blk.*.attn_v'],
        'model.layers.*.attention.wo': 'blk.*.attn_output',
        'model.layers.*.ffn_norm': 'blk.*.ffn_norm',
        'model.layers.*.feed_forward.w1': 'blk.*.ffn_gate',
        'model.layers.*.feed_forward.w3': 'blk.*.ffn_up',
        'model.layers.*.feed_forward.w2': 'blk.*.ffn_down',
      },
      {
        rows: {
          'model.layers.*.attention.wqkv': ggufHeads(grouped(heads, kvHeads), headDim, [true, true, false]),
        },
      },
    )
  },
}
