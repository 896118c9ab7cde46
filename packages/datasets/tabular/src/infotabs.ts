import { isBlank, objectOfFile, textOf, valueOf, type Part } from '@ift/core/collection'
import { converted } from './converted.js'
import { tableOptions } from './options.js'
import { tablePrompt } from './prompt.js'
import { hypotheses } from './words.js'

const labels: Readonly<Record<string, string>> = { E: 'entailment', C: 'contradiction', N: 'neutral' }

/** Values of a key of an info box. */
const joined = (value: unknown) =>
  (Array.isArray(value) ? (value as unknown[]) : [value])
    .map((one) => textOf(one)?.trim() ?? '')
    .filter((text) => !isBlank(text))
    .join('; ')

/** InfoTabs: hypotheses about info boxes of Wikipedia: a table of keys and values. */
export const infotabs: Part = {
  files: [['data/maindata/infotabs_train.tsv', 'maindata/infotabs_train.tsv']],
  options: tableOptions,
  join: {
    box: objectOfFile((record) => {
      const id = textOf((record as { table_id?: unknown }).table_id) ?? ''
      return ['data/tables/json', 'tables/json'].map((folder) => `${folder}/${id}.json`)
    }),
  },
  read: tablePrompt({
    table: (record) =>
      Object.entries((record as { readonly box?: object }).box ?? {})
        .filter(([key]) => key !== 'title')
        .map(([key, value]) => [key, joined(value)]),
    headers: () => 0,
    title: (record) => joined((record as { readonly box?: { readonly title?: unknown } }).box?.title),
    question: 'hypothesis',
    answer: (record, context) => labels[(textOf(valueOf('label', record, context)) ?? '').trim()],
    words: hypotheses,
  }),
  converted: converted('Table-Fact-Verification', 'Infotabs'),
}
