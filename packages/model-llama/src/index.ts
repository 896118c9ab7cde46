import { defineModel, definePlugin, type ModelDefinition } from '@ift/core'
import { decoderShape, initializeDecoder, llamaRoles } from '@ift/core/model'
import { plugin as tokenizers } from '@ift/tokenizers'
import { parseConfig, type LlamaConfig } from './config.js'
import { gguf } from './gguf.js'
import { LlamaForCausalLM } from './model.js'

/** LLaMA 1 to 3 and what has its form: TinyLlama, SmolLM2, Mistral, Vicuna, Alpaca. */
export const llama: ModelDefinition<LlamaConfig> = {
  name: 'llama',
  architectures: ['LlamaForCausalLM', 'LLaMAForCausalLM', 'MistralForCausalLM'],
  modelTypes: ['llama', 'mistral'],
  parseConfig,
  build: (config) => new LlamaForCausalLM(config),
  shape: (config) => decoderShape({ ...config, maxPositions: config.slidingWindow ?? config.maxPositions }),
  roles: () => llamaRoles,
  initialize: (path, { layers }) => initializeDecoder(path, { layers, roles: llamaRoles }),
  tokenizer: 'tokenizer.json',
  template: 'alpaca',
  gguf,
}

/** The family with the tokenizers that its checkpoints come with. */
export const plugin = definePlugin('model-llama', (host) => host.use(tokenizers).use(defineModel(llama)))
export { parseConfig, type LlamaConfig } from './config.js'
export { LlamaForCausalLM } from './model.js'
