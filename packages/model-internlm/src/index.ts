import { defineModel, definePlugin, defineTemplate, type ModelDefinition, type Recipe } from '@ift/core'
import { plugin as tokenizers } from '@ift/tokenizers'
import { parseConfig, parseConfig2, type InternLMConfig } from './config.js'
import { InternLMForCausalLM } from './internlm.js'
import { InternLM2ForCausalLM } from './internlm2.js'
import { internlmChat } from './template.js'

const shape: ModelDefinition<InternLMConfig>['shape'] = ({ vocabSize: vocab, ...config }) => {
  const { hidden, intermediate, layers, heads, kvHeads, headDim, maxPositions } = config
  return { hidden, intermediate, layers, heads, kvHeads, headDim, vocab, maxPositions }
}

/** N(0, 0.02), what adds to the residual scaled by the 2 · layers additions (GPT-2, Radford et al. 2019). */
const initialize: ModelDefinition<InternLMConfig>['initialize'] = (path, { layers }) => {
  if (path.endsWith('norm.weight')) return { kind: 'constant', value: 1 }
  if (path.endsWith('.bias')) return { kind: 'constant', value: 0 }
  const residual = /\.(o_proj|down_proj|wo|w2)\.weight$/.test(path)
  return { kind: 'normal', std: residual ? 0.02 / Math.sqrt(2 * layers) : 0.02 }
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
  shape,
  initialize,
  tokenizer: 'sentencepiece',
  template: 'alpaca',
  // Base and chat models have the same files but for the weights.
  templateOf: ({ tokenizer, names }) =>
    isChat(names) && tokenizer.specials.has('<eoa>') ? 'internlm' : 'alpaca',
  recipe,
  targetModules: {
    lora: ['q_proj', 'v_proj'],
    adalora: ['q_proj', 'v_proj'],
    ia3: ['k_proj', 'v_proj', 'down_proj'],
  },
}

/** InternLM2 and InternLM2.5. */
export const internlm2: ModelDefinition<InternLMConfig> = {
  name: 'internlm2',
  architectures: ['InternLM2ForCausalLM'],
  modelTypes: ['internlm2'],
  parseConfig: parseConfig2,
  build: (config) => new InternLM2ForCausalLM(config),
  shape,
  initialize,
  tokenizer: 'sentencepiece',
  template: 'alpaca',
  templateOf: ({ tokenizer, names }) =>
    isChat(names) && tokenizer.specials.has('<|im_end|>') ? 'chatml' : 'alpaca',
  recipe,
  targetModules: { lora: ['wqkv'], adalora: ['wqkv'], ia3: ['wqkv', 'w2'] },
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
export { InternLMForCausalLM, InternLMModel } from './internlm.js'
export { InternLM2ForCausalLM, InternLM2Model } from './internlm2.js'
export { internlmChat } from './template.js'
