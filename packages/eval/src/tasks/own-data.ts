import type { TaskDefinition, TaskMetric, TaskScore } from '@ift/core'
import { z } from 'zod'
import { answerable, type Answerable } from './records.js'

/** Options of all tasks over data of the user. */
export const ownOptions = {
  by: z.string().min(1).default('class').describe('Field of a record that names its group.'),
}

interface OwnTask<O> {
  readonly name: string
  readonly version: string
  readonly description: string
  readonly options: z.ZodType<O>
  readonly metrics: Readonly<Record<string, TaskMetric>>
  readonly main: string
  readonly extract?: (answer: string, options: O) => string | null
  readonly score: (
    extracted: string | null,
    document: Answerable,
    options: O,
  ) => Readonly<Record<string, TaskScore>>
}

/** New tokens of an answer, as `generate` has them by default. */
const maxNewTokens = 512

/** A task over records that the user has: answers are compared with those of the records. */
export const ownData = <O extends { readonly by: string }>({
  extract,
  score,
  ...facts
}: OwnTask<O>): TaskDefinition<Answerable, O> => ({
  ...facts,
  source: '',
  licence: '',
  shots: 0,
  prompt: 'instruction',
  read: (record, { options }) => answerable(record, options.by),
  render: ({ prompt }) => prompt,
  generate: { until: [], maxNewTokens },
  extract: (answer, _document, { options }) => (extract ? extract(answer, options) : answer.trim()),
  score: (document, { extracted }, { options }) => score(extracted, document, options),
  group: ({ group }) => group,
})
