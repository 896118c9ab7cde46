import type { PluginNoun } from './plugin-noun.js'

export const tokenizer: PluginNoun = {
  noun: 'tokenizer',
  word: 'tokenizer',
  what: 'a kind of tokenizer file: `tokenizer`',
}
