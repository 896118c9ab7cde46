import { columns, defineCollection, textOf, through, valueOf, type Field } from '@ift/core/collection'
import { sets } from './sets.js'

const question = through('question', (text) => text.replace(/^Q:\s*/, '').replace(/\nA:\s*$/, ''))

const reasoned: Field = (record, context) => {
  const [rationale, answer] = ['rationale', 'pred_ans'].map(
    (name) => textOf(valueOf(name, record, context))?.trim() ?? '',
  )
  return rationale === '' || answer === '' ? '' : `${rationale}\nThe answer is ${answer}.`
}

const demos = (kind: string) => ({
  files: [`demos/*_${kind}`],
  kind: '.json' as const,
  read: columns({ instruction: question, output: reasoned }),
})

/** Demonstrations that the method made, those written by hand, and the test sets that it was tried on. */
export const plugin = defineCollection(new URL('../card.json', import.meta.url), {
  'auto-cot': { ...demos('auto'), converted: ['Auto-CoT/Auto-CoT.json'] },
  'auto-cot-manual': demos('manual'),
  'auto-cot-sets': { files: sets, some: true, converted: ['Auto-CoT/Auto.json'] },
})
