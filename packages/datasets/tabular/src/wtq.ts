import { rowsOfFile, textOf, through, valueOf, type Part } from '@ift/core/collection'
import { converted } from './converted.js'
import { tableOptions } from './options.js'
import { tablePrompt } from './prompt.js'

const signs: Readonly<Record<string, string>> = { n: '\n', p: '|', '\\': '\\' }

/** WikiTableQuestions writes line breaks, pipes and backslashes in its TSV as \n, \p and \\. */
const decoded = (text: string) => text.replace(/\\([np\\])/g, (_, sign: string) => signs[sign]!)

/** WikiTableQuestions: questions over Wikipedia's tables; the answers of a list are parted by pipes. */
export const wtq: Part = {
  files: ['data/training.tsv'],
  splits: { test: ['data/pristine-unseen-tables.tsv'] },
  quotes: false,
  options: tableOptions,
  join: { table: rowsOfFile('context', { delimiter: ',', escape: '\\' }) },
  read: tablePrompt({
    table: 'table',
    question: through('utterance', decoded),
    answer: (record, context) =>
      textOf(valueOf('targetValue', record, context))
        ?.split('|')
        .map(decoded),
  }),
  converted: converted('Table-Question-Answering', 'WTQ'),
}
