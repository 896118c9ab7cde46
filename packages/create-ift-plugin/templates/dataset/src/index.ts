import { columns, defineCollection } from '@ift/core/collection'

/** How the records of the published files become examples; card.json says everything else. */
export const plugin = defineCollection(new URL('../card.json', import.meta.url), {
  __name__: {
    files: ['__name__.jsonl'],
    read: columns({ instruction: 'question', input: 'passage', output: 'answer' }),
  },
})
