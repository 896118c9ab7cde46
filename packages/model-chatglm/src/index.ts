import {
  defineModel,
  definePlugin,
  defineTemplate,
  defineTokenizer,
  type ModelDefinition,
  type Recipe,
} from '@ift/core'
import { decoderShape, initializeDecoder } from '@ift/core/model'
import { plugin as tokenizers } from '@ift/tokenizers'
import { ChatGlm1ForCausalLM } from './chatglm1.js'
import { isChatGlm1, parseChatGlm1 } from './chatglm1-config.js'
import { ChatGlmForCausalLM } from './chatglm.js'
import { parseChatGlm, parseGlm, type GlmConfig } from './config.js'
import { gguf } from './gguf.js'
import { GlmForCausalLM } from './glm.js'
import { chatglmRoles, glmRoles, isFirst, type ChatGlmConfig } from './roles.js'
import { chatglm1, chatglm2, chatglm3, glm4 } from './templates.js'
import { chatglmTokenizer } from './tokenizer.js'

/** What the original platform trained ChatGLM with. */
const recipe: Recipe = {
  peft: { lora: { r: 32, alpha: 32, dropout: 0.1 } },
  train: { learningRate: 2e-5, batchSize: 64, epochs: 1 },
}

/** ChatGLM-6B, ChatGLM2-6B, ChatGLM3-6B and GLM-4-9B in the layouts of their own code. */
export const chatglm: ModelDefinition<ChatGlmConfig> = {
  name: 'chatglm',
  architectures: ['ChatGLMModel', 'ChatGLMForConditionalGeneration'],
  modelTypes: ['chatglm'],
  parseConfig: (json) => (isChatGlm1(json) ? parseChatGlm1(json) : parseChatGlm(json)),
  build: (config) => (isFirst(config) ? new ChatGlm1ForCausalLM(config) : new ChatGlmForCausalLM(config)),
  shape: (config) =>
    isFirst(config) ? { ...decoderShape(config), bidirectionalPrompt: true } : decoderShape(config),
  roles: chatglmRoles,
  // Tables of frequencies follow from the config.
  mapWeight: (name) => (/\.(rotary_pos_emb|rotary_emb)\.inv_freq$/.test(name) ? null : name),
  initialize: (path, config) =>
    initializeDecoder(path, { layers: config.layers, roles: chatglmRoles(config) }),
  tokenizer: 'chatglm',
  // Where the first version's prompt ends, and with it what is read in both directions.
  tokenIds: (config) =>
    isFirst(config)
      ? [
          { token: '[gMASK]', field: 'gmask_token_id', id: config.gmaskId },
          { token: '<sop>', field: 'bos_token_id', id: config.startId },
        ]
      : [],
  template: 'chatglm3',
  templateOf({ json, tokenizer: { specials } }) {
    if (isChatGlm1(json)) return 'chatglm1'
    if (!specials.has('<|user|>')) return 'chatglm2'
    return specials.has('<sop>') ? 'glm4' : 'chatglm3'
  },
  gguf,
  recipe,
}

/** GLM-4-9B in the layout of transformers (checkpoints named -hf), and GLM-4-0414. */
export const glm: ModelDefinition<GlmConfig> = {
  name: 'glm',
  architectures: ['GlmForCausalLM', 'Glm4ForCausalLM'],
  modelTypes: ['glm', 'glm4'],
  parseConfig: parseGlm,
  build: (config) => new GlmForCausalLM(config),
  shape: decoderShape,
  roles: glmRoles,
  // As in ChatGLM, whose one matrix has all three.
  targetRoles: { lora: ['query', 'key', 'value'], adalora: ['query', 'key', 'value'] },
  initialize: (path, config) => initializeDecoder(path, { layers: config.layers, roles: glmRoles(config) }),
  tokenizer: 'tokenizer.json',
  template: 'glm4',
  gguf,
  recipe,
}

/** The family with its templates and the tokenizers that its checkpoints come with. */
export const plugin = definePlugin('model-chatglm', (host) => {
  host.use(tokenizers).use(defineTokenizer(chatglmTokenizer)).use(defineModel(chatglm)).use(defineModel(glm))
  for (const template of [chatglm1, chatglm2, chatglm3, glm4]) host.use(defineTemplate(template))
})
export { parseChatGlm1, type ChatGlm1Config } from './chatglm1-config.js'
export { ChatGlm1ForCausalLM, halfHeadFrequencies, residualScale } from './chatglm1.js'
export { parseChatGlm, parseGlm, type GlmConfig } from './config.js'
export { ChatGlmForCausalLM } from './chatglm.js'
export { GlmForCausalLM } from './glm.js'
export { chatglm1, chatglm2, chatglm3, glm4 } from './templates.js'
export { chatglmTokenizer } from './tokenizer.js'
