import type { GgufModule, GgufRows } from '../../contract/gguf.js'

/** Names of the file by the path of a module, `*` for the number of a layer. */
export type GgufNameTable = Readonly<Record<string, string | readonly string[]>>

/** Modules of LLaMA's layout by llama.cpp's names. */
export const llamaGgufNames = {
  'model.embed_tokens': 'token_embd',
  'model.norm': 'output_norm',
  lm_head: 'output',
  'model.layers.*.input_layernorm': 'blk.*.attn_norm',
  'model.layers.*.self_attn.q_proj': 'blk.*.attn_q',
  'model.layers.*.self_attn.k_proj': 'blk.*.attn_k',
  'model.layers.*.self_attn.v_proj': 'blk.*.attn_v',
  'model.layers.*.self_attn.o_proj': 'blk.*.attn_output',
  'model.layers.*.post_attention_layernorm': 'blk.*.ffn_norm',
  'model.layers.*.mlp.gate_proj': 'blk.*.ffn_gate',
  'model.layers.*.mlp.up_proj': 'blk.*.ffn_up',
  'model.layers.*.mlp.down_proj': 'blk.*.ffn_down',
} as const satisfies GgufNameTable

/** Norms of the heads of queries and keys. */
export const headNormGgufNames = {
  'model.layers.*.self_attn.q_norm': 'blk.*.attn_q_norm',
  'model.layers.*.self_attn.k_norm': 'blk.*.attn_k_norm',
} as const satisfies GgufNameTable

/** The modules of a table; `rows` and `added` hold for those that they name. */
export function ggufModules(
  table: GgufNameTable,
  {
    rows = {},
    added = () => undefined,
  }: {
    readonly rows?: Readonly<Record<string, GgufRows>>
    readonly added?: (module: string) => number | undefined
  } = {},
): GgufModule[] {
  return Object.entries(table).map(([module, names]) => {
    const [order, shift] = [rows[module], added(module)]
    return {
      module,
      names: typeof names === 'string' ? [names] : names,
      ...(order === undefined ? {} : { rows: order }),
      ...(shift === undefined ? {} : { added: shift }),
    }
  })
}
