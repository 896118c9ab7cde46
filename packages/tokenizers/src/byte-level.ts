import type { AddedTokenJson, ComponentJson, TokenizerJson } from './tokenizer-json.js'

export const byteLevel = (addPrefixSpace: boolean, useRegex: boolean): ComponentJson => ({
  type: 'ByteLevel',
  add_prefix_space: addPrefixSpace,
  trim_offsets: true,
  use_regex: useRegex,
})

/** Every match of a pattern is a word of its own. */
export const isolate = (pattern: string): ComponentJson => ({
  type: 'Split',
  pattern: { Regex: pattern },
  behavior: 'Isolated',
  invert: false,
})

/** How tiktoken's cl100k_base and its successors split text, but for how many digits go together. */
export const words = (digits: string) =>
  "(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\\r\\n\\p{L}\\p{N}]?\\p{L}+|" +
  `${digits}| ?[^\\s\\p{L}\\p{N}]+[\\r\\n]*|\\s*[\\r\\n]+|\\s+(?!\\S)|\\s+`

export interface ByteLevelOptions {
  readonly vocab: Readonly<Record<string, number>>
  readonly merges: readonly (readonly [string, string])[]
  readonly preTokenizer: ComponentJson
  readonly normalizer?: ComponentJson | null
  readonly ignoreMerges?: boolean
  readonly added: readonly AddedTokenJson[]
}

/** The tokenizer.json of a byte-level BPE (Radford et al. 2019). */
export const byteLevelJson = (options: ByteLevelOptions): TokenizerJson => ({
  version: '1.0',
  truncation: null,
  padding: null,
  added_tokens: options.added,
  normalizer: options.normalizer ?? null,
  pre_tokenizer: options.preTokenizer,
  post_processor: null,
  decoder: byteLevel(true, true),
  model: {
    type: 'BPE',
    dropout: null,
    unk_token: null,
    continuing_subword_prefix: null,
    end_of_word_suffix: null,
    fuse_unk: false,
    byte_fallback: false,
    ignore_merges: options.ignoreMerges ?? false,
    vocab: options.vocab,
    merges: options.merges,
  },
})
