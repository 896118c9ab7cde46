import type { GgufMapping } from '@ift/core'
import { ggufDecoderConfig, ggufPlace } from '@ift/core/model'

/** Names and keys of llama.cpp's `qwen2` and `qwen3` architectures, which keep the rows of q and k in their order. */
export const gguf: GgufMapping = {
  architectures: ['qwen2', 'qwen3'],
  config(metadata) {
    const config = ggufDecoderConfig(metadata)
    const name = config['model_type'] === 'qwen3' ? 'Qwen3ForCausalLM' : 'Qwen2ForCausalLM'
    return { architectures: [name], ...config }
  },
  tensor: (name) => ({ path: ggufPlace(name).path }),
}
