import { IftError } from '@ift/tensor'

type Metadata = ReadonlyMap<string, unknown>

/** Modules of a decoder layer by llama.cpp's names, for families that have LLaMA's layout. */
const modules: Readonly<Record<string, string>> = {
  attn_norm: 'input_layernorm',
  attn_q: 'self_attn.q_proj',
  attn_k: 'self_attn.k_proj',
  attn_v: 'self_attn.v_proj',
  attn_q_norm: 'self_attn.q_norm',
  attn_k_norm: 'self_attn.k_norm',
  attn_output: 'self_attn.o_proj',
  ffn_norm: 'post_attention_layernorm',
  ffn_gate: 'mlp.gate_proj',
  ffn_up: 'mlp.up_proj',
  ffn_down: 'mlp.down_proj',
}

const globals: Readonly<Record<string, string>> = {
  'token_embd.weight': 'model.embed_tokens.weight',
  'output_norm.weight': 'model.norm.weight',
  'output.weight': 'lm_head.weight',
}

/** Names come from a file: `constructor` is none of a table's. */
const own = (table: Readonly<Record<string, string>>, name: string): string | undefined =>
  Object.hasOwn(table, name) ? table[name] : undefined

/** Where a tensor of a GGUF file belongs in a family with LLaMA's layout; `part` is llama.cpp's name of its module. */
export function ggufPlace(
  name: string,
  others: Readonly<Record<string, string>> = {},
): { readonly path: string; readonly part: string | null } {
  const global = own(globals, name)
  if (global !== undefined) return { path: global, part: null }
  const [, layer, part, kind] = /^blk\.(\d+)\.(\w+)\.(weight|bias)$/.exec(name) ?? []
  const module = part === undefined ? undefined : (own(others, part) ?? own(modules, part))
  if (part === undefined || module === undefined) return { path: name, part: null }
  return { path: `model.layers.${layer!}.${module}.${kind!}`, part }
}

/** A number of the metadata, or undefined where there is none. */
const numberOf = (metadata: Metadata, key: string): number | undefined => {
  const value = metadata.get(key)
  return typeof value === 'number' ? value : undefined
}

/**
 * config.json, in the names of LLaMA's, of the model that GGUF metadata describe: sizes, norms, rotary positions and special
 * tokens. `architectures` and what else a family needs is added by it. Throws IFT_MODEL_CONFIG naming the key.
 */
export function ggufDecoderConfig(metadata: Metadata): Record<string, unknown> {
  const architecture = String(metadata.get('general.architecture'))
  const number = (key: string) => numberOf(metadata, `${architecture}.${key}`)
  const needed = (key: string): number => {
    const value = number(key)
    if (value !== undefined) return value
    const name = `${architecture}.${key}`
    const found = metadata.has(name) ? JSON.stringify(metadata.get(name)) : 'nothing'
    throw new IftError('IFT_MODEL_CONFIG', `GGUF metadata: ${name} expected a number, found ${found}.`)
  }
  const tokens = metadata.get('tokenizer.ggml.tokens')
  const heads = needed('attention.head_count')
  const hidden = needed('embedding_length')
  const scaling = metadata.get(`${architecture}.rope.scaling.type`)
  const original = number('rope.scaling.original_context_length')
  const scaled = {
    rope_type: scaling,
    factor: number('rope.scaling.factor'),
    ...(original === undefined ? {} : { original_max_position_embeddings: original }),
  }
  return {
    model_type: architecture,
    vocab_size: number('vocab_size') ?? (Array.isArray(tokens) ? tokens.length : undefined),
    hidden_size: hidden,
    intermediate_size: needed('feed_forward_length'),
    num_hidden_layers: needed('block_count'),
    num_attention_heads: heads,
    num_key_value_heads: number('attention.head_count_kv') ?? heads,
    head_dim: number('attention.key_length') ?? number('rope.dimension_count') ?? hidden / heads,
    max_position_embeddings: needed('context_length'),
    rms_norm_eps: needed('attention.layer_norm_rms_epsilon'),
    rope_theta: number('rope.freq_base') ?? 10000,
    ...(scaling === undefined || scaling === 'none' ? {} : { rope_scaling: scaled }),
    bos_token_id: numberOf(metadata, 'tokenizer.ggml.bos_token_id'),
    eos_token_id: numberOf(metadata, 'tokenizer.ggml.eos_token_id'),
  }
}
