import { defineModel, definePlugin, type ModelDefinition } from '@ift/core'
import { plugin as tokenizers } from '@ift/tokenizers'
import { parseConfig, type QwenConfig } from './config.js'
import { gguf } from './gguf.js'
import { QwenForCausalLM } from './model.js'

/** Qwen2, Qwen2.5, QwQ and Qwen3, dense. */
export const qwen: ModelDefinition<QwenConfig> = {
  name: 'qwen',
  architectures: ['Qwen2ForCausalLM', 'Qwen3ForCausalLM'],
  modelTypes: ['qwen2', 'qwen3'],
  parseConfig,
  build: (config) => new QwenForCausalLM(config),
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
    if (path.endsWith('.bias')) return { kind: 'constant', value: 0 }
    const residual = path.endsWith('.o_proj.weight') || path.endsWith('.down_proj.weight')
    return { kind: 'normal', std: residual ? 0.02 / Math.sqrt(2 * layers) : 0.02 }
  },
  tokenizer: 'tokenizer.json',
  template: 'chatml',
  gguf,
  targetModules: {
    lora: ['q_proj', 'v_proj'],
    adalora: ['q_proj', 'v_proj'],
    ia3: ['q_proj', 'v_proj', 'down_proj'],
  },
}

/** The family with the tokenizers that its checkpoints come with. */
export const plugin = definePlugin('model-qwen', (host) => host.use(tokenizers).use(defineModel(qwen)))
export { parseConfig, type QwenConfig } from './config.js'
export { QwenForCausalLM } from './model.js'
