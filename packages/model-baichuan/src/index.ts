import { defineModel, definePlugin, defineTemplate, type ModelDefinition } from '@ift/core'
import { plugin as tokenizers } from '@ift/tokenizers'
import { parseConfig, type BaichuanConfig } from './config.js'
import { BaichuanForCausalLM } from './model.js'
import { baichuan2Chat, baichuanChat, roleTokens } from './templates.js'

/** Baichuan and Baichuan2: 7B with rotary positions, 13B with ALiBi. */
export const baichuan: ModelDefinition<BaichuanConfig> = {
  name: 'baichuan',
  architectures: ['BaichuanForCausalLM', 'BaiChuanForCausalLM'],
  modelTypes: ['baichuan'],
  parseConfig,
  build: (config) => new BaichuanForCausalLM(config),
  shape: ({ hidden, intermediate, layers, heads, headDim, vocabSize, maxPositions }) => ({
    hidden,
    intermediate,
    layers,
    heads,
    kvHeads: heads,
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
  tokenizer: 'sentencepiece',
  template: 'alpaca',
  // generation_config.json of the chat models names the token of the user.
  templateOf({ generation, tokenizer }) {
    const id = generation['user_token_id']
    const user = typeof id === 'number' ? tokenizer.token(id) : undefined
    const found = (['baichuan', 'baichuan2'] as const).find((name) => roleTokens[name][0] === user)
    return found ?? 'alpaca'
  },
  targetModules: { lora: ['W_pack'], adalora: ['W_pack'], ia3: ['W_pack', 'down_proj'] },
}

/** The family with the tokenizers that its checkpoints come with. */
export const plugin = definePlugin('model-baichuan', (host) =>
  host
    .use(tokenizers)
    .use(defineModel(baichuan))
    .use(defineTemplate(baichuanChat))
    .use(defineTemplate(baichuan2Chat)),
)
export { parseConfig, type BaichuanConfig } from './config.js'
export { BaichuanForCausalLM, BaichuanModel } from './model.js'
export { NormHead } from './norm-head.js'
export { baichuan2Chat, baichuanChat } from './templates.js'
