import { nl2SqlCodes, type Part } from '@ift/core/collection'
import { converted } from './converted.js'
import { tableOptions } from './options.js'
import { tablePrompt } from './prompt.js'
import { queried, queriedRows, queriedTable } from './queried.js'
import { chineseQuestions } from './words.js'

/** The original platform's answer where a query finds nothing. */
const unanswerable = '根据表格信息无法回答该问题。'

/** NL2SQL (TableQA): Chinese questions over tables of reports, answered by their queries. The sets of tests have no queries. */
export const nl2sql: Part = {
  files: ['train/train.json'],
  splits: { val: ['val/val.json'] },
  options: tableOptions,
  join: { table: queriedTable((split) => `${split}/${split}.tables.json`) },
  read: tablePrompt({
    table: queriedRows,
    title: 'table.title',
    question: 'question',
    answer: queried(nl2SqlCodes, unanswerable),
    words: chineseQuestions,
  }),
  converted: converted('Table-Question-Answering', 'NL2SQL'),
}
