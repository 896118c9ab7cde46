import type { PluginNoun } from './plugin-noun.js'

export const peft: PluginNoun = {
  noun: 'peft',
  word: 'peft',
  what: 'a parameter-efficient method: `peft.method`',
  facts: ({ upper }) => ({ peftTypes: [upper] }),
  dependencies: ['@ift/tensor'],
  devDependencies: ['@ift/kernels-cpu', '@ift/model-llama'],
}
