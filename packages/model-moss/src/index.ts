import { defineModel, definePlugin, defineTemplate, type ModelDefinition, type ModelRoles } from '@ift/core'
import { decoderShape, initializeDecoder } from '@ift/core/model'
import { plugin as tokenizers } from '@ift/tokenizers'
import { parseConfig, type MossConfig } from './config.js'
import { MossForCausalLM } from './model.js'
import { mossTemplate } from './template.js'

const rolesOf = ({ fused }: MossConfig): ModelRoles => ({
  ...(fused ? { queryKeyValue: 'qkv_proj' } : { query: 'q_proj', key: 'k_proj', value: 'v_proj' }),
  attentionOutput: 'out_proj',
  feedForwardIn: 'fc_in',
  feedForwardOut: 'fc_out',
  norm: ['ln_1', 'ln_f'],
  embedding: 'wte',
  head: 'lm_head',
})

/** What does not differ between the architectures. */
const shared = {
  build: (config) => new MossForCausalLM(config),
  shape: decoderShape,
  roles: rolesOf,
  /** Older files hold the causal mask and its fill value as buffers. */
  mapWeight: (name) => (/\.attn\.(causal_mask|bias|masked_bias|embed_positions)$/.test(name) ? null : name),
  initialize: (path, config) =>
    initializeDecoder(path, { layers: config.layers, std: config.std, roles: rolesOf(config) }),
  tokenizer: 'gpt2',
  template: 'alpaca',
} satisfies Partial<ModelDefinition<MossConfig>>

/** MOSS-moon-003 (base, sft, sft-plugin) and CodeGen. */
export const moss: ModelDefinition<MossConfig> = {
  ...shared,
  name: 'moss',
  // CodeGen's tokenizer lacks the tokens that end MOSS's turns.
  templateOf: ({ tokenizer }) => (tokenizer.specials.has('<eom>') ? 'moss' : 'alpaca'),
  // One sequence a device, and 32 of them a step.
  recipe: { train: { batchSize: 32 } },
  architectures: ['MossForCausalLM', 'CodeGenForCausalLM'],
  modelTypes: ['moss', 'codegen'],
  parseConfig: (json) => parseConfig(json, true),
}

/** GPT-J: the same but for a matrix each for q, k and v. */
export const gptj: ModelDefinition<MossConfig> = {
  ...shared,
  name: 'gptj',
  architectures: ['GPTJForCausalLM'],
  modelTypes: ['gptj'],
  parseConfig: (json) => parseConfig(json, false),
  // PEFT's (IA)³ takes queries where LLaMA's takes keys.
  targetRoles: { ia3: ['query', 'value', 'feedForwardOut'] },
}

/** The architectures with the tokenizers that their checkpoints come with: vocab.json with merges.txt, or tokenizer.json. */
export const plugin = definePlugin('model-moss', (host) =>
  host.use(tokenizers).use(defineModel(moss)).use(defineModel(gptj)).use(defineTemplate(mossTemplate)),
)
export { type MossConfig } from './config.js'
export { MossForCausalLM } from './model.js'
export { metaInstruction, mossTemplate } from './template.js'
