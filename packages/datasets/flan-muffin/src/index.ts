import { columns, defineCollection } from '@ift/core/collection'

/** FLAN 2021: some pairs of every task. */
export const plugin = defineCollection(new URL('../card.json', import.meta.url), {
  'flan-muffin': {
    files: ['train/*.jsonl'],
    converted: ['FLAN-Muffin/flan.json'],
    perFile: 2000,
    read: columns({ instruction: 'inputs', output: 'targets' }, { meta: ['task'] }),
  },
})
