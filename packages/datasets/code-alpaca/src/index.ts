import { columns, defineCollection } from '@ift/core/collection'

const read = columns(
  { instruction: ['instruction', 'prompt'], input: 'input', output: ['output', 'completion'] },
  { blanks: true },
)

/** Code Alpaca, of its repository or of a mirror. */
export const plugin = defineCollection(new URL('../card.json', import.meta.url), {
  'code-alpaca': {
    files: [['data/code_alpaca_20k.json', 'data/train-*.parquet']],
    converted: ['CodeAlpaca/*.json'],
    read,
  },
})
