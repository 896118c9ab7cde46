import { defineTask, type TaskDefinition } from '@ift/core'

interface Question {
  readonly question: string
  readonly answer: string
}

/** Letters alone, in lower case. */
const wordOf = (text: string) => text.toLowerCase().replace(/[^\p{L}\p{N}]/gu, '')

export const task: TaskDefinition<Question> = {
  name: '__name__',
  version: '1',
  description: 'Questions with one right word.',
  source: '',
  licence: '',
  metrics: { exact: { description: 'the first word of the answer is the right one', kind: 'share' } },
  main: 'exact',
  shots: 0,
  prompt: 'instruction',
  read({ record: { question, answer } }) {
    if (typeof question !== 'string' || question.trim() === '') return 'no question'
    if (typeof answer !== 'string' || wordOf(answer) === '') return 'no answer'
    return [{ question, answer }]
  },
  render: ({ question }) => ({ instruction: question, input: '' }),
  generate: { until: [], maxNewTokens: 16 },
  extract: (answer) => answer.trim().split(/\s+/u)[0] || null,
  score: ({ answer }, { extracted }) => ({ exact: wordOf(extracted ?? '') === wordOf(answer) ? 1 : 0 }),
}

export const plugin = defineTask(task)
