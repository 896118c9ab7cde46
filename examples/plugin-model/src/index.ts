import { defineModel, definePlugin, type ModelDefinition, type ModelRoles } from '@ift/core'
import { decoderShape, initializeDecoder } from '@ift/core/model'
import { plugin as tokenizers } from '@ift/tokenizers'
import { parseConfig, type Gpt2Config } from './config.js'
import { Gpt2ForCausalLM } from './model.js'

/** By it LoRA and other methods find their places; two layers end in c_proj. */
const roles: ModelRoles = {
  queryKeyValue: 'c_attn',
  attentionOutput: 'attn.c_proj',
  feedForwardIn: 'c_fc',
  feedForwardOut: 'mlp.c_proj',
  norm: ['ln_1', 'ln_2', 'ln_f'],
  embedding: 'wte',
  head: 'lm_head',
}

/** GPT-2 in every size, and what has its form. */
export const gpt2: ModelDefinition<Gpt2Config> = {
  name: 'gpt2',
  architectures: ['GPT2LMHeadModel'],
  modelTypes: ['gpt2'],
  parseConfig,
  build: (config) => new Gpt2ForCausalLM(config),
  shape: decoderShape,
  roles: () => roles,
  /** OpenAI's files lack the prefix that a saved `GPT2LMHeadModel` has, and hold the causal mask as a buffer. */
  mapWeight(name) {
    if (/(^|\.)attn\.(bias|masked_bias)$/.test(name)) return null
    return name.startsWith('transformer.') || name.startsWith('lm_head.') ? name : `transformer.${name}`
  },
  /** The layers that transformers makes of Conv1D. */
  transposed: (path) => /\.c_(attn|fc|proj)\.weight$/.test(path),
  initialize: (path, { layers, std }) => initializeDecoder(path, { layers, std, roles }),
  tokenizer: 'gpt2',
  template: 'alpaca',
}

/** The family with the tokenizers that its checkpoints come with: vocab.json with merges.txt, or tokenizer.json. */
export const plugin = definePlugin('ift-plugin-model-gpt2', (host) =>
  host.use(tokenizers).use(defineModel(gpt2)),
)
export { parseConfig, type Gpt2Config } from './config.js'
export { Gpt2ForCausalLM } from './model.js'
