import { paddingSideOfFamily } from './policy.js'
import { specialNames, type SpecialName, type TokenizerSettings } from './settings.js'
import type { AddedTokenJson } from './tokenizer-json.js'

export interface SavedConfig {
  readonly settings: TokenizerSettings
  /** Special tokens by role, of the settings and, where they are silent, of the tokenizer's own file. */
  readonly names: Readonly<Partial<Record<SpecialName, string>>>
  readonly added: readonly AddedTokenJson[]
  readonly addBos: boolean
  readonly addEos: boolean
  readonly chatTemplate: string | null
  /** Values of the tokenizer's own file; the settings win. */
  readonly maxLength?: number | undefined
}

/** Fields of a source that are about its files or classes, not about the tokenizer, or that are written anew. */
const dropped = new Set<string>([
  ...specialNames,
  'added_tokens_decoder',
  'add_bos_token',
  'add_eos_token',
  // Part of the normaliser in tokenizer.json.
  'add_prefix_space',
  'auto_map',
  'legacy',
  'merges_file',
  'name_or_path',
  'num_image_tokens',
  'special_tokens_map_file',
  'sp_model_kwargs',
  'tokenizer_class',
  'tokenizer_file',
  'vocab_file',
])

/**
 * The tokenizer_config.json beside a tokenizer.json that was made from other files: with it transformers has the special
 * tokens, padding side, length and template that it has for the files it was made from, and their other fields.
 */
export function savedConfig(options: SavedConfig): Record<string, unknown> {
  const { settings, names, added, addBos, addEos, chatTemplate, maxLength } = options
  const { config, additional } = settings
  const kept = Object.fromEntries(
    Object.entries(config).filter(([field, value]) => !dropped.has(field) && value !== null),
  )
  const listed = new Set(Array.isArray(kept['extra_special_tokens']) ? kept['extra_special_tokens'] : [])
  const rest = additional.filter((token) => !listed.has(token))
  return {
    // A class of its own would build the tokenizer from its own idea of the family.
    tokenizer_class: 'PreTrainedTokenizerFast',
    model_input_names: ['input_ids', 'attention_mask'],
    padding_side: paddingSideOfFamily(settings.tokenizerClass),
    ...(maxLength !== undefined && { model_max_length: maxLength }),
    clean_up_tokenization_spaces: false,
    ...kept,
    ...(rest.length > 0 && { additional_special_tokens: rest }),
    ...names,
    add_bos_token: addBos,
    add_eos_token: addEos,
    added_tokens_decoder: Object.fromEntries(added.map(({ id, ...token }) => [id, token])),
    // A list of named templates stays one.
    ...(chatTemplate !== null && !Array.isArray(kept['chat_template']) && { chat_template: chatTemplate }),
  }
}
