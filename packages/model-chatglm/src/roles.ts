import type { ModelRoles } from '@ift/core'
import { llamaRoles } from '@ift/core/model'
import type { ChatGlm1Config } from './chatglm1-config.js'
import type { GlmConfig } from './config.js'

export type ChatGlmConfig = ChatGlm1Config | GlmConfig

/** Whether a config is of the first version. */
export const isFirst = (config: ChatGlmConfig): config is ChatGlm1Config => 'gmaskId' in config

/** Under the names of ChatGLM's own code; the feed-forward is gated from the second version on. */
export const chatglmRoles = (config: ChatGlmConfig): ModelRoles => ({
  queryKeyValue: 'query_key_value',
  attentionOutput: 'dense',
  ...(isFirst(config) ? { feedForwardIn: 'dense_h_to_4h' } : { gateUp: 'dense_h_to_4h' }),
  feedForwardOut: 'dense_4h_to_h',
  norm: ['input_layernorm', 'post_attention_layernorm', 'final_layernorm'],
  embedding: 'word_embeddings',
  head: isFirst(config) ? 'lm_head' : 'output_layer',
})

/** Under the names of transformers. */
export function glmRoles({ outputNorms }: GlmConfig): ModelRoles {
  const { feedForwardIn: _apart, norm, ...others } = llamaRoles
  const behind = outputNorms ? ['post_self_attn_layernorm', 'post_mlp_layernorm'] : []
  return { ...others, gateUp: 'gate_up_proj', norm: [...norm, ...behind] }
}
