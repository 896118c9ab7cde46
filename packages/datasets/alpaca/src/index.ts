import { columns, defineCollection } from '@ift/core/collection'

/** Stanford Alpaca: the cleaned file where there is one, else the first release. */
export const plugin = defineCollection(new URL('../card.json', import.meta.url), {
  alpaca: {
    files: [['alpaca_data_cleaned.json', 'alpaca_data.json']],
    converted: ['alpaca/alpaca_data_cleaned.json', 'alpaca/alpaca_data.json'],
    read: columns({ instruction: 'instruction', input: 'input', output: 'output' }, { blanks: true }),
  },
})
