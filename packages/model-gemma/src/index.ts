import { defineModel, definePlugin, type ModelDefinition } from '@ift/core'
import { plugin as tokenizers } from '@ift/tokenizers'
import { parseGemma, parseGemma3, type GemmaConfig } from './config.js'
import { GemmaForCausalLM } from './model.js'

/** What does not differ between the generations. */
const shared = {
  build: (config) => new GemmaForCausalLM(config),
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
    // Norms multiply by 1 + weight.
    if (path.endsWith('norm.weight') || path.endsWith('.bias')) return { kind: 'constant', value: 0 }
    const residual = path.endsWith('.o_proj.weight') || path.endsWith('.down_proj.weight')
    return { kind: 'normal', std: residual ? 0.02 / Math.sqrt(2 * layers) : 0.02 }
  },
  tokenizer: 'tokenizer.json',
  template: 'alpaca',
  targetModules: {
    lora: ['q_proj', 'v_proj'],
    adalora: ['q_proj', 'v_proj'],
    ia3: ['q_proj', 'v_proj', 'down_proj'],
  },
} satisfies Partial<ModelDefinition<GemmaConfig>>

/** Gemma 2B and 7B, CodeGemma. */
export const gemma: ModelDefinition<GemmaConfig> = {
  ...shared,
  name: 'gemma',
  architectures: ['GemmaForCausalLM'],
  modelTypes: ['gemma'],
  parseConfig: parseGemma,
}

/** Gemma 3, text: 270M and 1B. */
export const gemma3: ModelDefinition<GemmaConfig> = {
  ...shared,
  name: 'gemma3',
  architectures: ['Gemma3ForCausalLM'],
  modelTypes: ['gemma3_text'],
  parseConfig: parseGemma3,
}

/** The family with the tokenizers that its checkpoints come with. */
export const plugin = definePlugin('model-gemma', (host) =>
  host.use(tokenizers).use(defineModel(gemma)).use(defineModel(gemma3)),
)
export { parseGemma, parseGemma3, type GemmaConfig } from './config.js'
export { GemmaForCausalLM } from './model.js'
