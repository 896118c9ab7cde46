import type { TaskDefinition } from '@ift/core'
import { belleClass, bellePrompt, hasBellePrompt, parseScore, scoreAgain } from '../judge/index.js'
import { field } from './fields.js'

interface Question {
  readonly class: string
  readonly question: string
  /** '' where the class is judged without one. */
  readonly reference: string
}

/** New tokens of an answer: the standard answers of code have up to 500. */
const maxNewTokens = 512

/**
 * Belle-eval (Ji et al., 2023): 1,000 Chinese instructions of ten classes, each answer scored from 0 to 1 by a judge that is told what counts in the
 * class. The number of publications is the mean over classes (`macro`).
 */
export const belleEval: TaskDefinition<Question> = {
  name: 'belle-eval',
  version: '1',
  description: 'Chinese instructions of ten classes, scored by a judge.',
  source: 'https://github.com/LianjiaTech/BELLE/tree/main/eval',
  licence: 'ODC-By-1.0',
  files: { items: ['eval_set.json*', '**/eval_set*'] },
  metrics: { score: { description: "the judge's score of the answer, 0 to 1", kind: 'mean' } },
  main: 'score',
  shots: 0,
  prompt: 'instruction',
  read(record) {
    const [question, name] = [field(record, 'question', 'Q'), belleClass(field(record, 'class', 'C'))]
    if (question === '') return 'no question'
    if (!hasBellePrompt(name)) return name === '' ? 'no class' : 'a class that Belle-eval has no prompt for'
    return [{ class: name, question, reference: field(record, 'std_answer', 'A') }]
  },
  render: ({ question }) => question,
  generate: { until: [], maxNewTokens },
  extract: (answer) => answer.trim(),
  judge: {
    prompts: (document, { answer }) => [bellePrompt({ ...document, answer: answer.trim() })],
    parse: parseScore,
    again: scoreAgain,
  },
  score: (_document, { judged: [score = null] }) => ({ score }),
  group: (document) => document.class,
}
