import { columns, defineCollection } from '@ift/core/collection'

const files = ['firefly-train-1.1M.jsonl']
const read = columns({ instruction: 'input', output: 'target' }, { meta: ['kind'] })

/** Firefly, with BELLE's records and without them. */
export const plugin = defineCollection(new URL('../card.json', import.meta.url), {
  firefly: { files, converted: ['firefly/firefly.json'], read },
  'firefly-no-belle': {
    files,
    converted: ['firefly/firefly_no_belle.json'],
    read,
    keep: ({ kind }) => kind !== 'BELLE',
  },
})
