import { columns, defineCollection, preferred, valueOf, type Field } from '@ift/core/collection'

/** A field of the first pair of a question. */
const of =
  (name: string): Field =>
  (record, context) => {
    const rows = valueOf('records', record, context)
    return Array.isArray(rows) ? valueOf(name, rows[0], context) : undefined
  }

const answer = (name: string) => ({ read: columns({ instruction: of('question'), output: of(name) }) })

/** The better answer of the first pair of each question, the other one kept beside it. */
export const plugin = defineCollection(new URL('../card.json', import.meta.url), {
  'stack-exchange': {
    files: [['data/finetune/train-*.parquet', 'data/finetune/train-*.jsonl', 'stack_exchange_paired.json']],
    group: 'qid',
    read: preferred(answer('response_j'), answer('response_k')),
  },
})
