import type { ModelRoles } from '../../contract/model.js'

/** Roles under LLaMA's names. */
export const llamaRoles = {
  query: 'q_proj',
  key: 'k_proj',
  value: 'v_proj',
  attentionOutput: 'o_proj',
  feedForwardIn: ['gate_proj', 'up_proj'],
  feedForwardOut: 'down_proj',
  norm: ['input_layernorm', 'post_attention_layernorm', 'norm'],
  embedding: 'embed_tokens',
  head: 'lm_head',
} as const satisfies ModelRoles
