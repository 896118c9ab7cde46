import { isBlank, textOf, valueOf, type Field, type Part } from '@ift/core/collection'
import { converted } from './converted.js'
import { numberOf } from './number.js'
import { tableOptions } from './options.js'
import { tablePrompt } from './prompt.js'

interface Paragraph {
  readonly order?: unknown
  readonly text?: unknown
}

const paragraphs: Field = (record) => {
  const { paragraphs: list } = record as { readonly paragraphs?: unknown }
  if (!Array.isArray(list)) return undefined
  const sorted = (list as (Paragraph | null)[]).toSorted((a, b) => numberOf(a?.order) - numberOf(b?.order))
  return sorted.map((one) => textOf(one?.text) ?? '').join('\n')
}

/** Spans of an answer; of an arithmetic one its derivation as well, "20 - 5 = 15 million". */
const answer: Field = (record, context) => {
  const value = valueOf('answer', record, context)
  const text = Array.isArray(value)
    ? textOf(value.filter((one) => !isBlank(textOf(one) ?? '')))
    : textOf(value)
  if (text === null || isBlank(text)) return text
  const part = (name: string) => textOf(valueOf(name, record, context))?.trim() ?? ''
  const derivation = part('derivation')
  return part('answer_type') === 'arithmetic' && derivation !== ''
    ? `${derivation} = ${text} ${part('scale')}`.trim()
    : text
}

/** TAT-QA: questions over a table of an annual report and the paragraphs beside it; several for each table. */
export const tatQa: Part = {
  files: ['dataset_raw/tatqa_dataset_train.json'],
  inside: 'questions',
  options: tableOptions,
  read: tablePrompt({
    table: 'table.table',
    text: paragraphs,
    question: 'question',
    answer,
    meta: ['answer_type', 'answer_from'],
  }),
  converted: converted('Table-Question-Answering', 'TAT-QA'),
}
