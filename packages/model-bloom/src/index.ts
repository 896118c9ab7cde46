import { defineModel, definePlugin, type ModelDefinition, type ModelRoles } from '@ift/core'
import { decoderShape, initializeDecoder } from '@ift/core/model'
import { plugin as tokenizers } from '@ift/tokenizers'
import { parseConfig, type BloomConfig } from './config.js'
import { gguf } from './gguf.js'
import { BloomForCausalLM } from './model.js'

const roles: ModelRoles = {
  queryKeyValue: 'query_key_value',
  attentionOutput: 'dense',
  feedForwardIn: 'dense_h_to_4h',
  feedForwardOut: 'dense_4h_to_h',
  norm: ['word_embeddings_layernorm', 'input_layernorm', 'post_attention_layernorm', 'ln_f'],
  embedding: 'word_embeddings',
  head: 'lm_head',
}

/** BLOOM and BLOOMZ in every size. */
export const bloom: ModelDefinition<BloomConfig> = {
  name: 'bloom',
  architectures: ['BloomForCausalLM', 'BloomModel'],
  modelTypes: ['bloom'],
  parseConfig,
  build: (config) => new BloomForCausalLM(config),
  // ALiBi sets no limit to positions; the published models were trained at 2048.
  shape: (config) => decoderShape({ ...config, intermediate: 4 * config.hidden, maxPositions: null }),
  roles: () => roles,
  /** Some of the published files were saved from the model without its head and so lack the prefix. */
  mapWeight: (name) =>
    /^(word_embeddings|word_embeddings_layernorm|h|ln_f)\./.test(name) ? `transformer.${name}` : name,
  initialize: (path, { layers, std }) => initializeDecoder(path, { layers, std, roles }),
  tokenizer: 'tokenizer.json',
  template: 'alpaca',
  gguf,
}

/** The family with the tokenizers that its checkpoints come with. */
export const plugin = definePlugin('model-bloom', (host) => host.use(tokenizers).use(defineModel(bloom)))
export { parseConfig, type BloomConfig } from './config.js'
export { BloomForCausalLM } from './model.js'
