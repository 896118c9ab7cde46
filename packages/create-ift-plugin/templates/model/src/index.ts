import { defineModel, definePlugin, type ModelDefinition } from '@ift/core'
import { decoderShape, initializeDecoder, llamaRoles } from '@ift/core/model'
import { plugin as tokenizers } from '@ift/tokenizers'
import { parseConfig, type __Name__Config } from './config.js'
import { __Name__ForCausalLM } from './model.js'

/** The family: from config.json to modules, with what methods and tokenizers must know of it. */
export const family: ModelDefinition<__Name__Config> = {
  name: '__name__',
  // `architectures` and `model_type` of config.json: by them a checkpoint finds this package.
  architectures: ['__Name__ForCausalLM'],
  modelTypes: ['__name__'],
  parseConfig,
  build: (config) => new __Name__ForCausalLM(config),
  shape: decoderShape,
  roles: () => llamaRoles,
  initialize: (path, { layers }) => initializeDecoder(path, { layers, roles: llamaRoles }),
  tokenizer: 'tokenizer.json',
  template: 'alpaca',
}

/** The family with the tokenizers that its checkpoints come with. */
export const plugin = definePlugin('model-__name__', (host) => host.use(tokenizers).use(defineModel(family)))
export { parseConfig, type __Name__Config } from './config.js'
export { __Name__ForCausalLM } from './model.js'
