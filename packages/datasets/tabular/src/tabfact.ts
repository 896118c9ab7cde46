import { isInFile, rowsOfFile, textOf, type Join, type Part } from '@ift/core/collection'
import { converted } from './converted.js'
import { numberOf } from './number.js'
import { tabfactOptions } from './options.js'
import { tablePrompt } from './prompt.js'
import { statements } from './words.js'

/** Statements of a file `{"table": [[statement, …], [1 or 0, …], caption]}`. */
function statementsOf(record: Readonly<Record<string, unknown>>): readonly unknown[] | undefined {
  const tables = Object.entries(record)
  if (!tables.every(([, value]) => Array.isArray(value) && Array.isArray(value[0]))) return undefined
  return tables.flatMap(([id, value]) => {
    const [texts, labels, caption] = value as [unknown[], unknown, unknown]
    return texts.map((statement, i) => ({
      ...{ id, statement, caption },
      label: Array.isArray(labels) ? (labels[i] as unknown) : undefined,
    }))
  })
}

const isListed = isInFile((split) => `data/${split}_id.json`, 'id')

/** The files of collected data hold all splits; those of lemmatised data one each. */
const isOfSplit: Join = async (record, files, context) =>
  /_examples\./.test(context.file) || isListed(record, files, context)

/** The collected statements; where they are absent the lemmatised ones ("there be no entry"). */
const files = (split: string) => [
  ['collected_data/r1_training_all.json', `tokenized_data/${split}_examples.json`],
  'collected_data/r2_training_all.json',
]

/** TabFact: statements about Wikipedia's tables, entailed or refuted. */
export const tabfact: Part = {
  files: files('train'),
  splits: { val: files('val'), test: files('test') },
  some: true,
  inside: statementsOf,
  options: tabfactOptions,
  join: {
    table: rowsOfFile((record) => `data/all_csv/${textOf((record as { id?: unknown }).id) ?? ''}`, {
      delimiter: '#',
      quotes: false,
    }),
    isOfSplit,
  },
  keep: ({ isOfSplit: isKept }) => isKept === true,
  read: tablePrompt({
    table: 'table',
    title: 'caption',
    question: 'statement',
    answer: (record, { options }) => {
      const names = options?.['verdict'] === 'truth' ? ['False', 'True'] : ['refuted', 'entailed']
      return names[numberOf((record as { label?: unknown }).label)]
    },
    words: statements('entailed', 'refuted'),
  }),
  converted: converted('Table-Fact-Verification', 'Tabfact'),
}
