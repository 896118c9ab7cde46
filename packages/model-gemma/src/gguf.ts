import type { GgufMapping } from '@ift/core'
import {
  ggufDecoderConfig,
  ggufDecoderKeys,
  ggufKeys,
  ggufModules,
  headNormGgufNames,
  integer,
  llamaGgufNames,
  notInGguf,
  type ConfigJson,
} from '@ift/core/model'
import { parseGemma, parseGemma3, type GemmaConfig } from './config.js'

/** Files have the factors of the norms, the family what is added to 1. */
const added = (module: string) => (/norm$/.test(module) ? 1 : undefined)

/** Keys that both generations have. Their graphs know no biases and no head of its own. */
function keysOf(json: ConfigJson, config: GemmaConfig) {
  if (config.attentionBias) throw notInGguf('attention_bias', true, 'llama.cpp knows no biases of a Gemma.')
  if (!config.tieWordEmbeddings)
    throw notInGguf(
      'tie_word_embeddings',
      false,
      'llama.cpp multiplies by the embedding at the end of a Gemma.',
    )
  const { headDim } = config
  const maxPositions = integer(json, 'max_position_embeddings', config.third ? 131072 : 8192)
  const { keys, tables } = ggufDecoderKeys({ ...config, maxPositions })
  const lengths = { 'attention.key_length': { u32: headDim }, 'attention.value_length': { u32: headDim } }
  return {
    keys: { ...keys, ...lengths },
    tiedHead: true as const,
    ...(tables === undefined ? {} : { tables }),
  }
}

/** Names and keys of llama.cpp's `gemma` architecture. */
export const gguf: GgufMapping = {
  architectures: ['gemma'],
  config: (facts) => ({
    architectures: ['GemmaForCausalLM'],
    ...ggufDecoderConfig(facts),
    hidden_activation: 'gelu_pytorch_tanh',
  }),
  describe: (json) => ({ architecture: 'gemma', ...keysOf(json, parseGemma(json)) }),
  modules: () => ggufModules(llamaGgufNames, { added }),
}

/** Layers of the model whose scores are not divided by the root of the dimensions of its heads (27B). */
const otherScale = 62
/** Of so many layers one sees the whole sequence. */
const everyWhole = 6

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
  describe(json) {
    const config = parseGemma3(json)
    const { layers, hidden, heads, headDim, scale, local } = config
    const expected = layers === otherScale ? hidden / heads : headDim
    if (Math.abs(scale * Math.sqrt(expected) - 1) > 1e-6)
      throw notInGguf('query_pre_attn_scalar', json['query_pre_attn_scalar'], `llama.cpp takes ${expected}.`)
    const { keys, ...rest } = keysOf(json, config)
    const windows = local.includes(true)
    if (windows && local.some((one, i) => one !== ((i + 1) % everyWhole !== 0)))
      throw notInGguf(
        'layer_types',
        json['layer_types'],
        `llama.cpp takes every ${everyWhole}th layer as one that sees all.`,
      )
    return {
      architecture: 'gemma3',
      keys: {
        ...keys,
        ...(windows
          ? {
              'attention.sliding_window': { u32: integer(json, 'sliding_window', 4096) },
              'rope.freq_base_swa': { f32: config.localRope.theta },
            }
          : {}),
      },
      ...rest,
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
