import { defineModel, definePlugin, defineTemplate, type ModelDefinition, type ModelRoles } from '@ift/core'
import { decoderShape, initializeDecoder } from '@ift/core/model'
import { plugin as tokenizers } from '@ift/tokenizers'
import { parseConfig, type BaichuanConfig } from './config.js'
import { gguf } from './gguf.js'
import { BaichuanForCausalLM } from './model.js'
import { baichuan2Chat, baichuanChat, roleTokens } from './templates.js'

const roles: ModelRoles = {
  queryKeyValue: 'W_pack',
  attentionOutput: 'o_proj',
  feedForwardIn: ['gate_proj', 'up_proj'],
  feedForwardOut: 'down_proj',
  norm: ['input_layernorm', 'post_attention_layernorm', 'norm'],
  embedding: 'embed_tokens',
  head: 'lm_head',
}

/** Baichuan and Baichuan2: 7B with rotary positions, 13B with ALiBi. */
export const baichuan: ModelDefinition<BaichuanConfig> = {
  name: 'baichuan',
  architectures: ['BaichuanForCausalLM', 'BaiChuanForCausalLM'],
  modelTypes: ['baichuan'],
  parseConfig,
  build: (config) => new BaichuanForCausalLM(config),
  shape: decoderShape,
  roles: () => roles,
  initialize: (path, { layers }) => initializeDecoder(path, { layers, roles }),
  tokenizer: 'sentencepiece',
  template: 'alpaca',
  gguf,
  // generation_config.json of the chat models names the token of the user.
  templateOf({ generation, tokenizer }) {
    const id = generation['user_token_id']
    const user = typeof id === 'number' ? tokenizer.token(id) : undefined
    const found = (['baichuan', 'baichuan2'] as const).find((name) => roleTokens[name][0] === user)
    return found ?? 'alpaca'
  },
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
export { BaichuanForCausalLM } from './model.js'
export { NormHead } from './norm-head.js'
export { baichuan2Chat, baichuanChat } from './templates.js'
