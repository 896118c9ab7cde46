import type { PluginNoun } from './plugin-noun.js'

export const exportFormat: PluginNoun = {
  noun: 'export',
  word: 'export',
  what: 'a format of `npx ift export`',
  facts: () => ({ description: 'Names, shapes and types of all parameters, as JSON.' }),
  devDependencies: ['@ift/model-llama', '@ift/tensor'],
}
