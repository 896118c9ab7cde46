import { columns, defineCollection } from '@ift/core/collection'

/** Questions about money. */
export const plugin = defineCollection(new URL('../card.json', import.meta.url), {
  finance: {
    files: ['Cleaned_date.json'],
    converted: ['finance/finance_en.json'],
    read: columns({ instruction: 'instruction', input: 'input', output: 'output' }, { blanks: true }),
  },
})
