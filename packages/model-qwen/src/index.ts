import { defineModel, definePlugin, type ModelDefinition, type ModelRoles } from '@ift/core'
import { decoderShape, initializeDecoder, llamaRoles } from '@ift/core/model'
import { plugin as tokenizers } from '@ift/tokenizers'
import { parseConfig, type QwenConfig } from './config.js'
import { gguf } from './gguf.js'
import { QwenForCausalLM } from './model.js'

const rolesOf = ({ headNorms }: QwenConfig): ModelRoles =>
  headNorms ? { ...llamaRoles, headNorm: ['q_norm', 'k_norm'] } : llamaRoles

/** Qwen2, Qwen2.5, QwQ and Qwen3, dense. */
export const qwen: ModelDefinition<QwenConfig> = {
  name: 'qwen',
  architectures: ['Qwen2ForCausalLM', 'Qwen3ForCausalLM'],
  modelTypes: ['qwen2', 'qwen3'],
  parseConfig,
  build: (config) => new QwenForCausalLM(config),
  shape: decoderShape,
  roles: rolesOf,
  initialize: (path, config) => initializeDecoder(path, { layers: config.layers, roles: rolesOf(config) }),
  tokenizer: 'tokenizer.json',
  template: 'chatml',
  gguf,
  // PEFT's (IA)³ takes queries where LLaMA's takes keys.
  targetRoles: { ia3: ['query', 'value', 'feedForwardOut'] },
}

/** The family with the tokenizers that its checkpoints come with. */
export const plugin = definePlugin('model-qwen', (host) => host.use(tokenizers).use(defineModel(qwen)))
export { parseConfig, type QwenConfig } from './config.js'
export { QwenForCausalLM } from './model.js'
