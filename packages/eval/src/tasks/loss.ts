import { isTokenized, type Example, type TaskDefinition } from '@ift/core'
import { z } from 'zod'
import { exampleOf, tagOf } from './records.js'
import { promptText } from '../prompt.js'

interface Learned {
  readonly example: Example
  readonly group: string | null
}

const options = z.strictObject({
  by: z.string().min(1).default('class').describe('Field of a record that names its group.'),
})

/** Loss of examples as the evaluation of a run has it, and by the tag of their records. */
export const loss: TaskDefinition<Learned, z.output<typeof options>> = {
  name: 'loss',
  version: '1',
  description: 'Loss of your records as training has it, also by tag.',
  source: '',
  licence: '',
  options,
  metrics: {
    loss: {
      description: 'mean over learned tokens, in nats',
      kind: 'corpus',
      of: ([sum, tokens]) => sum! / tokens!,
      lowerIsBetter: true,
    },
    perplexity: {
      description: 'e to the loss',
      kind: 'corpus',
      of: ([sum, tokens]) => Math.exp(sum! / tokens!),
      lowerIsBetter: true,
    },
  },
  main: 'loss',
  shots: 0,
  prompt: 'instruction',
  read(record, { options: { by } }) {
    const example = exampleOf(record)
    if (typeof example === 'string') return example
    return isTokenized(example) ? 'no text' : [{ example, group: tagOf(record, by) }]
  },
  render({ example }) {
    if ('instruction' in example) return promptText(example)
    if ('messages' in example) return promptText(example)
    return 'text' in example ? example.text : ''
  },
  loss: ({ example }) => example,
  score: (_document, { loss: found }) => {
    const parts = found === null ? null : [found.sum, found.tokens]
    return { loss: parts, perplexity: parts }
  },
  group: ({ group }) => group,
}
