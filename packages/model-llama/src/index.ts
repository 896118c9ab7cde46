import { defineModel, definePlugin, type ModelDefinition } from '@ift/core'
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
  shape: ({
    hidden,
    intermediate,
    layers,
    heads,
    kvHeads,
    headDim,
    vocabSize,
    maxPositions,
    slidingWindow,
  }) => ({
    hidden,
    intermediate,
    layers,
    heads,
    kvHeads,
    headDim,
    vocab: vocabSize,
    maxPositions: slidingWindow ?? maxPositions,
  }),
  /** N(0, 0.02), what adds to the residual scaled by the 2 · layers additions (GPT-2, Radford et al. 2019). */
  initialize(path, { layers }) {
    if (path.endsWith('norm.weight')) return { kind: 'constant', value: 1 }
    if (path.endsWith('.bias')) return { kind: 'constant', value: 0 }
    const residual = path.endsWith('.o_proj.weight') || path.endsWith('.down_proj.weight')
    return { kind: 'normal', std: residual ? 0.02 / Math.sqrt(2 * layers) : 0.02 }
  },
  tokenizer: 'tokenizer.json',
  template: 'alpaca',
  gguf,
  targetModules: {
    lora: ['q_proj', 'v_proj'],
    adalora: ['q_proj', 'v_proj'],
    ia3: ['k_proj', 'v_proj', 'down_proj'],
  },
}

/** The family with the tokenizers that its checkpoints come with. */
export const plugin = definePlugin('model-llama', (host) => host.use(tokenizers).use(defineModel(llama)))
export { parseConfig, type LlamaConfig } from './config.js'
export { LlamaForCausalLM, LlamaModel } from './model.js'
