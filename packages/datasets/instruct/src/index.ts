import { columns, defineCollection } from '@ift/core/collection'

/** Instructions of several sets, under the names of fields that such files have. */
export const plugin = defineCollection(new URL('../card.json', import.meta.url), {
  instruct: {
    files: ['instruct.jsonl'],
    converted: ['instruct/instruct.json'],
    read: columns({
      instruction: ['instruction', 'prompt'],
      input: 'input',
      output: ['output', 'completion', 'response'],
    }),
  },
})
