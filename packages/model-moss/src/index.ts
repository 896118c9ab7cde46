import { defineModel, definePlugin, defineTemplate, type ModelDefinition } from '@ift/core'
import { plugin as tokenizers } from '@ift/tokenizers'
import { parseConfig, type MossConfig } from './config.js'
import { MossForCausalLM } from './model.js'
import { mossTemplate } from './template.js'

/** What does not differ between the architectures. */
const shared = {
  build: (config) => new MossForCausalLM(config),
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
  /** Older files hold the causal mask and its fill value as buffers. */
  mapWeight: (name) => (/\.attn\.(causal_mask|bias|masked_bias|embed_positions)$/.test(name) ? null : name),
  /** N(0, initializer_range), what adds to the residual scaled by the 2 · layers additions (GPT-2, Radford et al. 2019). */
  initialize(path, { layers, std }) {
    if (path.endsWith('.bias')) return { kind: 'constant', value: 0 }
    if (/\.ln_\w+\.weight$/.test(path)) return { kind: 'constant', value: 1 }
    const residual = path.endsWith('.out_proj.weight') || path.endsWith('.fc_out.weight')
    return { kind: 'normal', std: residual ? std / Math.sqrt(2 * layers) : std }
  },
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
  targetModules: { lora: ['qkv_proj'], adalora: ['qkv_proj'], ia3: ['qkv_proj', 'fc_out'] },
}

/** GPT-J: the same but for a matrix each for q, k and v. */
export const gptj: ModelDefinition<MossConfig> = {
  ...shared,
  name: 'gptj',
  architectures: ['GPTJForCausalLM'],
  modelTypes: ['gptj'],
  parseConfig: (json) => parseConfig(json, false),
  targetModules: {
    lora: ['q_proj', 'v_proj'],
    adalora: ['q_proj', 'v_proj'],
    ia3: ['q_proj', 'v_proj', 'fc_out'],
  },
}

/** The architectures with the tokenizers that their checkpoints come with: vocab.json with merges.txt, or tokenizer.json. */
export const plugin = definePlugin('model-moss', (host) =>
  host.use(tokenizers).use(defineModel(moss)).use(defineModel(gptj)).use(defineTemplate(mossTemplate)),
)
export { type MossConfig } from './config.js'
export { MossForCausalLM, MossModel } from './model.js'
export { metaInstruction, mossTemplate } from './template.js'
