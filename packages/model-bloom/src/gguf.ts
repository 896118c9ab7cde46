import type { GgufMapping } from '@ift/core'
import {
  ggufHeads,
  ggufKeys,
  ggufModules,
  ggufTokenId,
  ggufVocabulary,
  grouped,
  inOneTensor,
  integer,
  metadataError,
  notInGguf,
} from '@ift/core/model'
import { parseConfig } from './config.js'

/** Names and keys of llama.cpp's `bloom` architecture: all queries before all keys before all values. */
export const gguf: GgufMapping = {
  architectures: ['bloom'],
  config(facts) {
    const { needed, number } = ggufKeys(facts)
    const hidden = needed('embedding_length')
    const width = number('feed_forward_length') ?? 4 * hidden
    if (width !== 4 * hidden) throw metadataError('bloom.feed_forward_length', `${4 * hidden}`, width)
    return {
      architectures: ['BloomForCausalLM'],
      model_type: 'bloom',
      vocab_size: ggufVocabulary(facts),
      hidden_size: hidden,
      n_layer: needed('block_count'),
      n_head: needed('attention.head_count'),
      seq_length: needed('context_length'),
      layer_norm_epsilon: needed('attention.layer_norm_epsilon'),
      bos_token_id: ggufTokenId(facts, 'bos'),
      eos_token_id: ggufTokenId(facts, 'eos'),
    }
  },
  describe(json) {
    const { vocabSize, hidden, layers, heads, eps, residualAfterNorm } = parseConfig(json)
    if (residualAfterNorm)
      throw notInGguf(
        'apply_residual_connection_post_layernorm',
        true,
        'llama.cpp adds to what the norms take.',
      )
    return {
      architecture: 'bloom',
      keys: {
        vocab_size: { u32: vocabSize },
        context_length: { u32: integer(json, 'seq_length', 2048) },
        embedding_length: { u32: hidden },
        block_count: { u32: layers },
        feed_forward_length: { u32: 4 * hidden },
        'attention.head_count': { u32: heads },
        'attention.head_count_kv': { u32: heads },
        'attention.layer_norm_epsilon': { f32: eps },
      },
    }
  },
  modules(json) {
    const { heads, hidden } = parseConfig(json)
    const fused = 'transformer.h.*.self_attention.query_key_value'
    const rows = inOneTensor(ggufHeads(grouped(heads, heads), hidden / heads, [false, false, false]))
    return ggufModules(
      {
        'transformer.word_embeddings': 'token_embd',
        'transformer.word_embeddings_layernorm': 'token_embd_norm',
        'transformer.ln_f': 'output_norm',
        lm_head: 'output',
        'transformer.h.*.input_layernorm': 'blk.*.attn_norm',
        [fused]: 'blk.*.attn_qkv',
        'transformer.h.*.self_attention.dense': 'blk.*.attn_output',
        'transformer.h.*.post_attention_layernorm': 'blk.*.ffn_norm',
        'transformer.h.*.mlp.dense_h_to_4h': 'blk.*.ffn_up',
        'transformer.h.*.mlp.dense_4h_to_h': 'blk.*.ffn_down',
      },
      { rows: { [fused]: rows } },
    )
  },
}
