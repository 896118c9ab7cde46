import { alternating, defineCollection, messages } from '@ift/core/collection'

/** Dialogs as lists of texts, and those of Zephyr with their roles. */
export const plugin = defineCollection(new URL('../card.json', import.meta.url), {
  ultrachat: {
    files: Array.from({ length: 10 }, (_, i) => `train_${i}.jsonl`),
    some: true,
    converted: ['ultrachat/ultrachat.json'],
    read: alternating('data'),
  },
  'ultrachat-200k': { files: [['data/train_sft-*.parquet', 'train_sft.jsonl']], read: messages('messages') },
})
