import type { GgufMapping } from '@ift/core'
import { ggufDecoderConfig, ggufPlace } from '@ift/core/model'
import { IftError } from '@ift/tensor'

/** Names and keys of llama.cpp's `llama` architecture, which Mistral files use too. */
export const gguf: GgufMapping = {
  architectures: ['llama'],
  config: (metadata) => ({ architectures: ['LlamaForCausalLM'], ...ggufDecoderConfig(metadata) }),
  tensor(name, config) {
    if (name === 'rope_freqs.weight')
      throw new IftError(
        'IFT_FILE_UNSUPPORTED',
        'GGUF tensor rope_freqs.weight: the frequencies of LLaMA 3.1 and later are not read from a table.',
        "Use the model's safetensors checkpoint, whose config.json describes them.",
      )
    const { path, part } = ggufPlace(name)
    if (part === 'attn_q') return { path, permutedHeads: config['num_attention_heads'] as number }
    if (part === 'attn_k') return { path, permutedHeads: config['num_key_value_heads'] as number }
    return { path }
  },
}
