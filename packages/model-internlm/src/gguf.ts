import type { GgufMapping } from '@ift/core'
import {
  consecutive,
  ggufDecoderConfig,
  ggufDecoderKeys,
  ggufHeads,
  ggufModules,
  grouped,
  llamaGgufNames,
} from '@ift/core/model'
import { parseConfig, parseConfig2 } from './config.js'

/** InternLM of the first generation, which llama.cpp reads as a LLaMA with biases; what comes out of such a file is one. */
export const ggufFirst: GgufMapping = {
  architectures: [],
  config: ggufDecoderConfig,
  describe: (json) => ({ architecture: 'llama', ...ggufDecoderKeys(parseConfig(json)) }),
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

/** Names and keys of llama.cpp's `internlm2` architecture, which takes queries, keys and values apart. */
export const gguf: GgufMapping = {
  architectures: ['internlm2'],
  config: (facts) => ({
    architectures: ['InternLM2ForCausalLM'],
    ...ggufDecoderConfig(facts),
    bias: facts.shapes.has('blk.0.attn_q.bias'),
  }),
  describe: (json) => ({ architecture: 'internlm2', ...ggufDecoderKeys(parseConfig2(json)) }),
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
