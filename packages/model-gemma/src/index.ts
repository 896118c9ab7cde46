import { defineModel, definePlugin, type ModelDefinition, type ModelRoles } from '@ift/core'
import { decoderShape, initializeDecoder, llamaRoles } from '@ift/core/model'
import { plugin as tokenizers } from '@ift/tokenizers'
import { parseGemma, parseGemma3, type GemmaConfig } from './config.js'
import { gguf, gguf3 } from './gguf.js'
import { GemmaForCausalLM } from './model.js'

const roles3: ModelRoles = {
  ...llamaRoles,
  norm: [
    'input_layernorm',
    'post_attention_layernorm',
    'pre_feedforward_layernorm',
    'post_feedforward_layernorm',
    'norm',
  ],
  headNorm: ['q_norm', 'k_norm'],
}

const rolesOf = ({ third }: GemmaConfig): ModelRoles => (third ? roles3 : llamaRoles)

/** What does not differ between the generations. */
const shared = {
  build: (config) => new GemmaForCausalLM(config),
  shape: decoderShape,
  roles: rolesOf,
  // PEFT's (IA)³ takes queries where LLaMA's takes keys.
  targetRoles: { ia3: ['query', 'value', 'feedForwardOut'] },
  // Norms multiply by 1 + weight.
  initialize: (path, config) =>
    initializeDecoder(path, { layers: config.layers, roles: rolesOf(config), normWeight: 0 }),
  tokenizer: 'tokenizer.json',
  template: 'alpaca',
} satisfies Partial<ModelDefinition<GemmaConfig>>

/** Gemma 2B and 7B, CodeGemma. */
export const gemma: ModelDefinition<GemmaConfig> = {
  ...shared,
  name: 'gemma',
  architectures: ['GemmaForCausalLM'],
  modelTypes: ['gemma'],
  parseConfig: parseGemma,
  gguf,
}

/** Gemma 3, text: 270M and 1B. */
export const gemma3: ModelDefinition<GemmaConfig> = {
  ...shared,
  name: 'gemma3',
  architectures: ['Gemma3ForCausalLM'],
  modelTypes: ['gemma3_text'],
  parseConfig: parseGemma3,
  gguf: gguf3,
}

/** The family with the tokenizers that its checkpoints come with. */
export const plugin = definePlugin('model-gemma', (host) =>
  host.use(tokenizers).use(defineModel(gemma)).use(defineModel(gemma3)),
)
export { parseGemma, parseGemma3, type GemmaConfig } from './config.js'
export { GemmaForCausalLM } from './model.js'
