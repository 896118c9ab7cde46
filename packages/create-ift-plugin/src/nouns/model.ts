import type { PluginNoun } from './plugin-noun.js'

export const model: PluginNoun = {
  noun: 'model',
  word: 'model',
  what: 'a model family: `weights` whose config.json names its architecture',
  facts: ({ name, pascal }) => ({ architectures: [`${pascal}ForCausalLM`], modelTypes: [name], gguf: [] }),
  dependencies: ['@ift/tensor', '@ift/tokenizers'],
  devDependencies: ['@ift/kernels-cpu'],
}
