import type { PluginNoun } from './plugin-noun.js'

export const optimizer: PluginNoun = {
  noun: 'optimizer',
  word: 'optimizer',
  what: 'a rule that turns gradients into updates: `train.optimizer`',
  devDependencies: ['@ift/kernels-cpu'],
}
