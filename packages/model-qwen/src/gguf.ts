import type { GgufMapping } from '@ift/core'
import {
  ggufDecoderConfig,
  ggufDecoderKeys,
  ggufModules,
  headNormGgufNames,
  llamaGgufNames,
} from '@ift/core/model'
import { parseConfig } from './config.js'

/** Names and keys of llama.cpp's `qwen2` and `qwen3` architectures, which keep the rows of q and k in their order. */
export const gguf: GgufMapping = {
  architectures: ['qwen2', 'qwen3'],
  config(facts) {
    const config = ggufDecoderConfig(facts)
    const third = config['model_type'] === 'qwen3'
    return {
      architectures: [third ? 'Qwen3ForCausalLM' : 'Qwen2ForCausalLM'],
      ...config,
      ...(third ? { attention_bias: facts.shapes.has('blk.0.attn_q.bias') } : {}),
    }
  },
  describe(json) {
    const config = parseConfig(json)
    return { architecture: config.headNorms ? 'qwen3' : 'qwen2', ...ggufDecoderKeys(config) }
  },
  modules: () => ggufModules({ ...llamaGgufNames, ...headNormGgufNames }),
}
