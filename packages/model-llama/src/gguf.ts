import type { GgufMapping } from '@ift/core'
import { IftError } from '@ift/tensor'

const globals: Readonly<Record<string, string>> = {
  'token_embd.weight': 'model.embed_tokens.weight',
  'output_norm.weight': 'model.norm.weight',
  'output.weight': 'lm_head.weight',
}

const modules: Readonly<Record<string, string>> = {
  attn_norm: 'input_layernorm',
  attn_q: 'self_attn.q_proj',
  attn_k: 'self_attn.k_proj',
  attn_v: 'self_attn.v_proj',
  attn_output: 'self_attn.o_proj',
  ffn_norm: 'post_attention_layernorm',
  ffn_gate: 'mlp.gate_proj',
  ffn_up: 'mlp.up_proj',
  ffn_down: 'mlp.down_proj',
}

/** Names and keys of llama.cpp's `llama` architecture, which Mistral files use too. */
export const gguf: GgufMapping = {
  architecture: 'llama',
  config(metadata) {
    const number = (key: string): number | undefined => {
      const value = metadata.get(key)
      return typeof value === 'number' ? value : undefined
    }
    const needed = (key: string): number => {
      const value = number(key)
      if (value !== undefined) return value
      const found = metadata.has(key) ? JSON.stringify(metadata.get(key)) : 'nothing'
      throw new IftError('IFT_MODEL_CONFIG', `GGUF metadata: ${key} expected a number, found ${found}.`)
    }
    const tokens = metadata.get('tokenizer.ggml.tokens')
    const heads = needed('llama.attention.head_count')
    const hidden = needed('llama.embedding_length')
    const scaling = metadata.get('llama.rope.scaling.type')
    const factor = number('llama.rope.scaling.factor')
    const scaled =
      scaling === undefined || scaling === 'none' ? {} : { rope_scaling: { rope_type: scaling, factor } }
    return {
      architectures: ['LlamaForCausalLM'],
      model_type: 'llama',
      vocab_size: number('llama.vocab_size') ?? (Array.isArray(tokens) ? tokens.length : undefined),
      hidden_size: hidden,
      intermediate_size: needed('llama.feed_forward_length'),
      num_hidden_layers: needed('llama.block_count'),
      num_attention_heads: heads,
      num_key_value_heads: number('llama.attention.head_count_kv') ?? heads,
      head_dim:
        number('llama.attention.key_length') ?? number('llama.rope.dimension_count') ?? hidden / heads,
      max_position_embeddings: needed('llama.context_length'),
      rms_norm_eps: needed('llama.attention.layer_norm_rms_epsilon'),
      rope_theta: number('llama.rope.freq_base') ?? 10000,
      ...scaled,
      bos_token_id: number('tokenizer.ggml.bos_token_id'),
      eos_token_id: number('tokenizer.ggml.eos_token_id'),
    }
  },
  tensor(name, config) {
    const global = globals[name]
    if (global !== undefined) return { path: global }
    if (name === 'rope_freqs.weight') {
      throw new IftError(
        'IFT_FILE_UNSUPPORTED',
        'GGUF tensor rope_freqs.weight: the frequencies of LLaMA 3.1 and later are not read from a table.',
        "Use the model's safetensors checkpoint, whose config.json describes them.",
      )
    }
    const [, layer, part, kind] = /^blk\.(\d+)\.(\w+)\.(weight|bias)$/.exec(name) ?? []
    const module = part === undefined ? undefined : modules[part]
    if (module === undefined) return { path: name }
    const path = `model.layers.${layer!}.${module}.${kind!}`
    if (part === 'attn_q') return { path, permutedHeads: config['num_attention_heads'] as number }
    if (part === 'attn_k') return { path, permutedHeads: config['num_key_value_heads'] as number }
    return { path }
  },
}
