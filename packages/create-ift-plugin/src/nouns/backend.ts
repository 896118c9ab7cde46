import type { PluginNoun } from './plugin-noun.js'

export const backend: PluginNoun = {
  noun: 'backend',
  word: 'kernels',
  what: 'a kind of device: `device`',
  facts: () => ({}),
  dependencies: ['@ift/tensor'],
}
