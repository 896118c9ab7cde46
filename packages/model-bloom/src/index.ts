import { defineModel, definePlugin, type ModelDefinition } from '@ift/core'
import { plugin as tokenizers } from '@ift/tokenizers'
import { parseConfig, type BloomConfig } from './config.js'
import { BloomForCausalLM } from './model.js'

/** BLOOM and BLOOMZ in every size. */
export const bloom: ModelDefinition<BloomConfig> = {
  name: 'bloom',
  architectures: ['BloomForCausalLM', 'BloomModel'],
  modelTypes: ['bloom'],
  parseConfig,
  build: (config) => new BloomForCausalLM(config),
  // ALiBi sets no limit to positions; the published models were trained at 2048.
  shape: ({ hidden, layers, heads, vocabSize }) => ({
    hidden,
    intermediate: 4 * hidden,
    layers,
    heads,
    kvHeads: heads,
    headDim: hidden / heads,
    vocab: vocabSize,
    maxPositions: null,
  }),
  /** Some of the published files were saved from the model without its head and so lack the prefix. */
  mapWeight: (name) =>
    /^(word_embeddings|word_embeddings_layernorm|h|ln_f)\./.test(name) ? `transformer.${name}` : name,
  /** N(0, initializer_range), what adds to the residual scaled by the 2 · layers additions (GPT-2, Radford et al. 2019). */
  initialize(path, { layers, std }) {
    if (path.endsWith('.bias')) return { kind: 'constant', value: 0 }
    if (/(layernorm|ln_f)\.weight$/.test(path)) return { kind: 'constant', value: 1 }
    const residual = path.endsWith('.dense.weight') || path.endsWith('.dense_4h_to_h.weight')
    return { kind: 'normal', std: residual ? std / Math.sqrt(2 * layers) : std }
  },
  tokenizer: 'tokenizer.json',
  template: 'alpaca',
  targetModules: {
    lora: ['query_key_value'],
    adalora: ['query_key_value'],
    ia3: ['query_key_value', 'dense_4h_to_h'],
  },
}

/** The family with the tokenizers that its checkpoints come with. */
export const plugin = definePlugin('model-bloom', (host) => host.use(tokenizers).use(defineModel(bloom)))
export { parseConfig, type BloomConfig } from './config.js'
export { BloomForCausalLM, BloomModel } from './model.js'
