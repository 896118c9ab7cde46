import { defineModel, definePlugin, type ModelDefinition } from '@ift/core'
import { plugin as tokenizers } from '@ift/tokenizers'
import { parseConfig, type Gpt2Config } from './config.js'
import { Gpt2ForCausalLM } from './model.js'

/** GPT-2 in every size, and what has its form. */
export const gpt2: ModelDefinition<Gpt2Config> = {
  name: 'gpt2',
  architectures: ['GPT2LMHeadModel'],
  modelTypes: ['gpt2'],
  parseConfig,
  build: (config) => new Gpt2ForCausalLM(config),
  shape: ({ hidden, intermediate, layers, heads, vocabSize, maxPositions }) => ({
    hidden,
    intermediate,
    layers,
    heads,
    kvHeads: heads,
    headDim: hidden / heads,
    vocab: vocabSize,
    maxPositions,
  }),
  /** OpenAI's files lack the prefix that a saved `GPT2LMHeadModel` has, and hold the causal mask as a buffer. */
  mapWeight(name) {
    if (/(^|\.)attn\.(bias|masked_bias)$/.test(name)) return null
    return name.startsWith('transformer.') || name.startsWith('lm_head.') ? name : `transformer.${name}`
  },
  /** The layers that transformers makes of Conv1D. */
  transposed: (path) => /\.c_(attn|fc|proj)\.weight$/.test(path),
  /** N(0, 0.02), what adds to the residual scaled by the 2 · layers additions (Radford et al. 2019). */
  initialize(path, { layers, std }) {
    if (/\.ln_\w+\.weight$/.test(path)) return { kind: 'constant', value: 1 }
    if (path.endsWith('.bias')) return { kind: 'constant', value: 0 }
    return { kind: 'normal', std: path.endsWith('.c_proj.weight') ? std / Math.sqrt(2 * layers) : std }
  },
  tokenizer: 'gpt2',
  template: 'alpaca',
  targetModules: { lora: ['c_attn'] },
}

/** The family with the tokenizers that its checkpoints come with: vocab.json with merges.txt, or tokenizer.json. */
export const plugin = definePlugin('ift-plugin-model-gpt2', (host) =>
  host.use(tokenizers).use(defineModel(gpt2)),
)
export { parseConfig, type Gpt2Config } from './config.js'
export { Gpt2ForCausalLM, Gpt2Model } from './model.js'
