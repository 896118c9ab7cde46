import type { PluginNoun } from './plugin-noun.js'

export const dataset: PluginNoun = {
  noun: 'dataset',
  word: 'dataset',
  what: 'an instruction dataset: `data`',
  // What card.json says.
  facts: () => ({
    description: 'Questions and answers, some with a text to answer from.',
    license: 'CC0-1.0',
    tags: { lang: ['EN'], task: ['MT'], gen: ['HG'] },
    size: { count: 4, unit: 'questions' },
  }),
  files: ['card.json'],
}
