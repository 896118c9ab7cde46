import { choices, isBlank, textOf, valueOf, type Field, type Part } from '@ift/core/collection'
import { converted } from './converted.js'
import { tabmwpOptions } from './options.js'
import { tablePrompt } from './prompt.js'
import { problems } from './words.js'

const text = (
  name: string,
  record: unknown,
  context: Parameters<Exclude<Field, string | readonly string[]>>[1],
) => textOf(valueOf(name, record, context)) ?? ''

/** The number with its unit: "$3", "10 pounds". */
const result: Field = (record, context) => {
  const [answer, unit] = [text('answer', record, context), text('unit', record, context).trim()]
  return unit === '' || isBlank(answer) ? answer : unit === '$' ? `$${answer}` : `${answer} ${unit}`
}

const answer: Field = (record, context) => {
  const [said, solution] = [textOf(valueOf(result, record, context)) ?? '', text('solution', record, context)]
  if (isBlank(said) || context.options?.['solution'] === false || isBlank(solution)) return said
  return `${solution}\nThe answer is ${said}.`
}

const { shown } = choices({ list: 'choices', answer: 'answer' })

/** TabMWP: word problems over small tables with solutions in words. A table whose columns have no names says so in `table_for_pd`. */
export const tabmwp: Part = {
  files: [['data/tabmwp/problems_train.json', 'tabmwp/problems_train.json']],
  options: tabmwpOptions,
  read: tablePrompt({
    table: (record, context) =>
      text('table', record, context)
        .split('\n')
        .map((line) => line.split('|').map((cell) => cell.trim())),
    headers: (record, context) => (valueOf('table_for_pd.Column 1', record, context) === undefined ? 1 : 0),
    title: 'table_title',
    question: 'question',
    choices: shown,
    answer,
    words: problems,
    meta: ['ques_type', 'ans_type', 'grade'],
  }),
  converted: converted('Table-Question-Answering', 'TABMWP'),
}
