import { columns, defineCollection, through, withoutReferences, type Field } from '@ift/core/collection'

const part = (input: Field) => ({
  files: ['databricks-dolly-15k.jsonl'],
  converted: ['dolly/dolly.json'],
  read: columns({ instruction: 'instruction', input, output: 'response' }, { meta: ['category'] }),
})

/** Dolly without Wikipedia's reference marks in contexts, and with them. */
export const plugin = defineCollection(new URL('../card.json', import.meta.url), {
  dolly: part(through('context', withoutReferences)),
  'dolly-references': part('context'),
})
