import type { TaskDefinition } from '@ift/core'
import { tabMwpAnswer, tabMwpScore, type TabMwpProblem } from '../tabular/index.js'
import { field, textOf } from './fields.js'

interface Problem extends TabMwpProblem {
  readonly table: string
  readonly title: string
  readonly question: string
  readonly solution: string
  readonly kind: string
}

const isRecord = (value: unknown): value is Readonly<Record<string, unknown>> =>
  typeof value === 'object' && value !== null && !Array.isArray(value)

/** The problem of a record; the reason why it is none. */
function problemOf(record: Readonly<Record<string, unknown>>): Problem | string {
  const own = { record, where: '', file: '' }
  const [question, answer, table] = [field(own, 'question'), field(own, 'answer'), field(own, 'table')]
  if (question === '') return 'no question'
  if (table === '') return 'no table'
  if (answer === '') return 'no answer'
  const given = record['choices']
  const choices = Array.isArray(given) ? given.map(textOf).filter((choice) => choice !== '') : []
  return {
    ...{ table, title: field(own, 'table_title'), question, answer, unit: field(own, 'unit') },
    ...{ choices: choices.length > 0 ? choices : null, solution: field(own, 'solution') },
    kind: field(own, 'ans_type'),
  }
}

/** Word problems over small tables (Lu et al., 2023), by their answers as the authors normalise them, and by kind of answer. */
export const tabMwp: TaskDefinition<Problem> = {
  name: 'tabmwp',
  version: '1',
  description: 'Word problems over small tables, by the answer.',
  source: 'https://github.com/lupantech/PromptPG/tree/main/data/tabmwp',
  licence: 'CC-BY-NC-SA-4.0',
  files: { items: ['problems_test.json', '**/problems_test.json'], shots: ['**/problems_train.json'] },
  metrics: { answer: { description: 'the answer is that of the problem', kind: 'share' } },
  main: 'answer',
  shots: 0,
  prompt: 'instruction',
  read({ record }) {
    if ('question' in record) {
      const problem = problemOf(record)
      return typeof problem === 'string' ? problem : [problem]
    }
    // The published file is one object, of problems by their number.
    const problems = Object.values(record).filter(isRecord).map(problemOf)
    const found = problems.filter((problem) => typeof problem !== 'string')
    return found.length > 0
      ? found
      : (problems.find((problem) => typeof problem === 'string') ?? 'no question')
  },
  render({ table, title, question, unit, choices }) {
    const options = choices?.map((choice, i) => `(${String.fromCharCode(65 + i)}) ${choice}`).join(' ')
    return [
      'Solve the problem with the help of the table. End with "The answer is …".',
      `${title === '' ? '' : `${title}\n`}${table}`,
      `Question: ${question}${unit === '' ? '' : ` (unit: ${unit})`}${options === undefined ? '' : `\nOptions: ${options}`}\nAnswer:`,
    ].join('\n\n')
  },
  shown: (document, context) =>
    `${tabMwp.render(document, context) as string}${document.solution === '' ? '' : ` ${document.solution}`} The answer is ${document.answer}.`,
  generate: { until: [], maxNewTokens: 512 },
  extract: (answer) => tabMwpAnswer(answer) || null,
  score: (document, { answer }) => ({ answer: tabMwpScore(answer, document) }),
  group: ({ kind }) => (kind === '' ? null : kind),
}
