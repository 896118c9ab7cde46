import { defineModel, definePlugin, type ModelDefinition } from '@ift/core'
import { plugin as tokenizers } from '@ift/tokenizers'
import { parseConfig, type PhiConfig } from './config.js'
import { PhiForCausalLM } from './model.js'

/** Phi-3 and Phi-3.5 (mini, medium), Phi-4, Phi-4-mini. */
export const phi: ModelDefinition<PhiConfig> = {
  name: 'phi',
  architectures: ['Phi3ForCausalLM'],
  modelTypes: ['phi3'],
  parseConfig,
  build: (config) => new PhiForCausalLM(config),
  shape: ({ hidden, intermediate, layers, heads, kvHeads, headDim, vocabSize, maxPositions }) => ({
    hidden,
    intermediate,
    layers,
    heads,
    kvHeads,
    headDim,
    vocab: vocabSize,
    maxPositions,
  }),
  /** N(0, 0.02), what adds to the residual scaled by the 2 · layers additions (GPT-2, Radford et al. 2019). */
  initialize(path, { layers }) {
    if (path.endsWith('norm.weight')) return { kind: 'constant', value: 1 }
    const residual = path.endsWith('.o_proj.weight') || path.endsWith('.down_proj.weight')
    return { kind: 'normal', std: residual ? 0.02 / Math.sqrt(2 * layers) : 0.02 }
  },
  tokenizer: 'tokenizer.json',
  template: 'alpaca',
  targetModules: { lora: ['qkv_proj'], adalora: ['qkv_proj'], ia3: ['qkv_proj', 'down_proj'] },
}

/** The family with the tokenizers that its checkpoints come with. */
export const plugin = definePlugin('model-phi', (host) => host.use(tokenizers).use(defineModel(phi)))
export { parseConfig, type PhiConfig } from './config.js'
export { PhiForCausalLM } from './model.js'
