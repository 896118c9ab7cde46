import { defineModel, definePlugin, type ModelDefinition, type ModelRoles } from '@ift/core'
import { decoderShape, initializeDecoder } from '@ift/core/model'
import { plugin as tokenizers } from '@ift/tokenizers'
import { parseConfig, type PhiConfig } from './config.js'
import { gguf } from './gguf.js'
import { PhiForCausalLM } from './model.js'

const roles: ModelRoles = {
  queryKeyValue: 'qkv_proj',
  attentionOutput: 'o_proj',
  gateUp: 'gate_up_proj',
  feedForwardOut: 'down_proj',
  norm: ['input_layernorm', 'post_attention_layernorm', 'norm'],
  embedding: 'embed_tokens',
  head: 'lm_head',
}

/** Phi-3 and Phi-3.5 (mini, medium), Phi-4, Phi-4-mini. */
export const phi: ModelDefinition<PhiConfig> = {
  name: 'phi',
  architectures: ['Phi3ForCausalLM'],
  modelTypes: ['phi3'],
  parseConfig,
  build: (config) => new PhiForCausalLM(config),
  shape: decoderShape,
  roles: () => roles,
  initialize: (path, { layers }) => initializeDecoder(path, { layers, roles }),
  tokenizer: 'tokenizer.json',
  template: 'alpaca',
  gguf,
}

/** The family with the tokenizers that its checkpoints come with. */
export const plugin = definePlugin('model-phi', (host) => host.use(tokenizers).use(defineModel(phi)))
export { parseConfig, type PhiConfig } from './config.js'
export { PhiForCausalLM } from './model.js'
