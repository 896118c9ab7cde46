import { defineCollection } from '@ift/core/collection'
import { best } from './best.js'

const files = [['comparisons.jsonl', 'data/*.parquet', 'webgpt_comparisons.jsonl']]

/** The better answer of all comparisons in a row about a question, alone or with the quotes that it rests on. */
export const plugin = defineCollection(new URL('../card.json', import.meta.url), {
  webgpt: {
    files,
    group: 'question.full_text',
    converted: ['webGPT/webGPT.json'],
    read: best({ quotes: false }),
  },
  'webgpt-quotes': { files, group: 'question.full_text', read: best({ quotes: true }) },
})
