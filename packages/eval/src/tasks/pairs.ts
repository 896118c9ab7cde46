import type { TaskDefinition, TaskPrompt } from '@ift/core'
import { z } from 'zod'
import { pairPrompt, pairResult, parseVerdict, verdictAgain } from '../judge/index.js'
import { promptText } from '../prompt.js'
import { field } from './fields.js'
import { ownOptions } from './own-data.js'
import { answerable, tagOf } from './records.js'

const options = z.strictObject({
  ...ownOptions,
  reference: z
    .boolean()
    .default(true)
    .describe('Shows the judge the answer of the record, where it has one.'),
})

interface Question {
  readonly prompt: TaskPrompt
  readonly reference: string | null
  readonly group: string | null
}

const maxNewTokens = 512

/**
 * Which of two models answers better: the answers of this run beside those of another on the same records (`--against`), shown to a judge in
 * both orders. A win or a loss is one in both; all else is a tie. Without another run the answers are written, for a later one.
 */
export const pairs: TaskDefinition<Question, z.output<typeof options>> = {
  name: 'pairs',
  version: '1',
  description: 'Your records, answered better or worse than by another run, by a judge in both orders.',
  source: '',
  licence: '',
  options,
  metrics: {
    score: { description: 'a win 1, a tie 0.5, a loss 0', kind: 'mean' },
    win: { description: 'better than the other in both orders', kind: 'share' },
    loss: { description: 'worse than the other in both orders', kind: 'share' },
    consistent: { description: 'the judge says the same in both orders', kind: 'share' },
  },
  main: 'score',
  shots: 0,
  prompt: 'instruction',
  read(record, { options: { by } }) {
    const found = answerable(record, by)
    if (typeof found !== 'string')
      return found.map(({ prompt, references, group }) => ({ prompt, reference: references[0], group }))
    // A question alone can be answered by both as well.
    const instruction = field(record, 'instruction', 'question', 'prompt')
    if (instruction === '') return found
    return [
      { prompt: { instruction, input: field(record, 'input') }, reference: null, group: tagOf(record, by) },
    ]
  },
  render: ({ prompt }) => prompt,
  generate: { until: [], maxNewTokens },
  extract: (answer) => answer.trim(),
  compares: true,
  judge: {
    prompts({ prompt, reference }, { answer, other }, { options: { reference: isShown } }) {
      // The same answer twice needs no judge; in a dry run both are empty.
      if (other === null || (answer === other && answer !== '')) return []
      const pair = {
        question: promptText(prompt),
        reference: isShown ? reference : null,
        ...{ first: answer.trim(), second: other.trim() },
      }
      return [pairPrompt(pair, false), pairPrompt(pair, true)]
    },
    parse: parseVerdict,
    again: verdictAgain,
  },
  score(_document, { answer, other, judged: [direct = null, swapped = null] }) {
    const isSame = other !== null && answer === other && answer !== ''
    const result = isSame ? { score: 0.5, consistent: true } : pairResult(direct, swapped)
    if (!result) return { score: null, win: null, loss: null, consistent: null }
    const { score, consistent } = result
    return { score, win: score === 1 ? 1 : 0, loss: score === 0 ? 1 : 0, consistent: consistent ? 1 : 0 }
  },
  group: ({ group }) => group,
}
