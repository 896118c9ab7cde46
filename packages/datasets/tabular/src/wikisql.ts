import { wikiSqlCodes, type Part } from '@ift/core/collection'
import { converted } from './converted.js'
import { tableOptions } from './options.js'
import { tablePrompt } from './prompt.js'
import { queried, queriedRows, queriedTable } from './queried.js'
import { wikipediaTitle } from './title.js'

/** WikiSQL: questions over Wikipedia's tables, answered by their queries; those that find nothing give no example. */
export const wikisql: Part = {
  files: ['data/train.jsonl'],
  options: tableOptions,
  join: { table: queriedTable((split) => `data/${split}.tables.jsonl`) },
  read: tablePrompt({
    table: queriedRows,
    title: wikipediaTitle('table.page_title', 'table.section_title'),
    question: 'question',
    answer: queried(wikiSqlCodes),
  }),
  converted: converted('Table-Question-Answering', 'WikiSQL'),
}
