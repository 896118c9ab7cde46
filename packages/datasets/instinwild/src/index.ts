import { columns, defineCollection, drop, type Read } from '@ift/core/collection'

const answered = columns({ instruction: 'instruction', input: 'input', output: 'output' })

/** The second release holds questions alone. */
const read: Read = (record, context) =>
  typeof record === 'object' && record !== null && 'instruction' in record && !('output' in record)
    ? drop('a question alone, as in data_v2; the answered set is instinwild_en.json and instinwild_ch.json')
    : answered(record, context)

const part = (name: string) => ({
  files: [[name, 'data_v2/user_*.jsonl']],
  // Files of the second release have escapes that JSON has not.
  tolerant: true,
  converted: [`instinwild/${name}`],
  read,
})

/** The first release of InstructionWild. */
export const plugin = defineCollection(new URL('../card.json', import.meta.url), {
  instinwild: part('instinwild_en.json'),
  'instinwild-ch': part('instinwild_ch.json'),
})
