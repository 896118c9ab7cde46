import type { PluginNoun } from './plugin-noun.js'

export const template: PluginNoun = {
  noun: 'template',
  word: 'template',
  what: 'a prompt template: `template`',
}
