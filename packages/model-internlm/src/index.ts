import { defineModel, definePlugin, type ModelDefinition } from '@ift/core'
import { plugin as tokenizers } from '@ift/tokenizers'
import { parseConfig, parseConfig2, type InternLMConfig } from './config.js'
import { InternLMForCausalLM } from './internlm.js'
import { InternLM2ForCausalLM } from './internlm2.js'

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
  targetModules: { lora: ['wqkv'], adalora: ['wqkv'], ia3: ['wqkv', 'w2'] },
}

/** The family with the tokenizers that its checkpoints come with. */
export const plugin = definePlugin('model-internlm', (host) =>
  host.use(tokenizers).use(defineModel(internlm)).use(defineModel(internlm2)),
)
export { parseConfig, parseConfig2, type InternLMConfig } from './config.js'
export { InternLMForCausalLM, InternLMModel } from './internlm.js'
export { InternLM2ForCausalLM, InternLM2Model } from './internlm2.js'
