import type { GgufMapping } from '@ift/core'
import { ggufDecoderConfig, ggufKeys, ggufModules, headNormGgufNames, llamaGgufNames } from '@ift/core/model'

/** Files have the factors of the norms, the family what is added to 1. */
const added = (module: string) => (/norm$/.test(module) ? 1 : undefined)

/** Names and keys of llama.cpp's `gemma` architecture. */
export const gguf: GgufMapping = {
  architectures: ['gemma'],
  config: (facts) => ({
    architectures: ['GemmaForCausalLM'],
    ...ggufDecoderConfig(facts),
    hidden_activation: 'gelu_pytorch_tanh',
  }),
  modules: () => ggufModules(llamaGgufNames, { added }),
}

/** Layers of the model whose scores are not divided by the root of the dimensions of its heads (27B). */
const otherScale = 62

/**
 * Names and keys of llama.cpp's `gemma3` architecture. Most files do not say which layers see a window: five of six, as llama.cpp
 * has it.
 */
export const gguf3: GgufMapping = {
  architectures: ['gemma3'],
  config(facts) {
    const { number } = ggufKeys(facts)
    const config = ggufDecoderConfig(facts)
    const { num_hidden_layers: layers, hidden_size: hidden, num_attention_heads: heads } = config
    const window = number('attention.sliding_window')
    const named: unknown = facts.metadata.get('gemma3.attention.sliding_window_pattern')
    const pattern = Array.isArray(named)
      ? { layer_types: named.map((local) => (local ? 'sliding_attention' : 'full_attention')) }
      : { sliding_window_pattern: named ?? 6 }
    return {
      architectures: ['Gemma3ForCausalLM'],
      ...config,
      model_type: 'gemma3_text',
      rope_theta: number('rope.freq_base') ?? 1_000_000,
      rope_local_base_freq: number('rope.freq_base_swa') ?? 10_000,
      hidden_activation: 'gelu_pytorch_tanh',
      query_pre_attn_scalar: layers === otherScale ? Number(hidden) / Number(heads) : config['head_dim'],
      final_logit_softcapping: number('final_logit_softcapping') ?? null,
      ...(window === undefined || window === 0
        ? { sliding_window_pattern: 1 }
        : { sliding_window: window, ...pattern }),
    }
  },
  modules: () =>
    ggufModules(
      {
        ...llamaGgufNames,
        ...headNormGgufNames,
        'model.layers.*.post_attention_layernorm': 'blk.*.post_attention_norm',
        'model.layers.*.pre_feedforward_layernorm': 'blk.*.ffn_norm',
        'model.layers.*.post_feedforward_layernorm': 'blk.*.post_ffw_norm',
      },
      { added },
    ),
}
