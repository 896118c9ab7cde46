import {
  defineModel,
  definePlugin,
  defineTemplate,
  type ModelDefinition,
  type ModelRoles,
  type Recipe,
} from '@ift/core'
import { decoderShape, initializeDecoder, llamaRoles } from '@ift/core/model'
import { plugin as tokenizers } from '@ift/tokenizers'
import { parseConfig, parseConfig2, type InternLMConfig } from './config.js'
import { gguf, ggufFirst } from './gguf.js'
import { InternLMForCausalLM } from './internlm.js'
import { InternLM2ForCausalLM } from './internlm2.js'
import { internlmChat } from './template.js'

const roles2: ModelRoles = {
  queryKeyValue: 'wqkv',
  attentionOutput: 'wo',
  feedForwardIn: ['w1', 'w3'],
  feedForwardOut: 'w2',
  norm: ['attention_norm', 'ffn_norm', 'norm'],
  embedding: 'tok_embeddings',
  head: 'output',
}

/** What the original platform trained InternLM with. */
const recipe: Recipe = {
  peft: { lora: { r: 32, alpha: 32, dropout: 0.1 } },
  train: { learningRate: 2e-5, batchSize: 32 },
}

const isChat = (names: readonly string[]) => names.some((name) => /chat/i.test(name))

/** InternLM 7B and 20B, base and chat. */
export const internlm: ModelDefinition<InternLMConfig> = {
  name: 'internlm',
  architectures: ['InternLMForCausalLM'],
  modelTypes: ['internlm'],
  parseConfig,
  build: (config) => new InternLMForCausalLM(config),
  shape: decoderShape,
  roles: () => llamaRoles,
  initialize: (path, { layers }) => initializeDecoder(path, { layers, roles: llamaRoles }),
  tokenizer: 'sentencepiece',
  template: 'alpaca',
  // Base and chat models have the same files but for the weights.
  templateOf: ({ tokenizer, names }) =>
    isChat(names) && tokenizer.specials.has('<eoa>') ? 'internlm' : 'alpaca',
  gguf: ggufFirst,
  recipe,
}

/** InternLM2 and InternLM2.5. */
export const internlm2: ModelDefinition<InternLMConfig> = {
  name: 'internlm2',
  architectures: ['InternLM2ForCausalLM'],
  modelTypes: ['internlm2'],
  parseConfig: parseConfig2,
  build: (config) => new InternLM2ForCausalLM(config),
  shape: decoderShape,
  roles: () => roles2,
  initialize: (path, { layers }) => initializeDecoder(path, { layers, roles: roles2 }),
  tokenizer: 'sentencepiece',
  template: 'alpaca',
  templateOf: ({ tokenizer, names }) =>
    isChat(names) && tokenizer.specials.has('<|im_end|>') ? 'chatml' : 'alpaca',
  gguf,
  recipe,
}

/** The family with the tokenizers that its checkpoints come with. */
export const plugin = definePlugin('model-internlm', (host) =>
  host
    .use(tokenizers)
    .use(defineModel(internlm))
    .use(defineModel(internlm2))
    .use(defineTemplate(internlmChat)),
)
export { parseConfig, parseConfig2, type InternLMConfig } from './config.js'
export { InternLMForCausalLM } from './internlm.js'
export { InternLM2ForCausalLM } from './internlm2.js'
export { internlmChat } from './template.js'
