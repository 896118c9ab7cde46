import { fileURLToPath } from 'node:url'
import { manifestConformance, taskConformance } from '@ift/core/testing'
import { describe, expect, test } from 'vitest'
import { plugin, task } from './index.js'

const folder = fileURLToPath(new URL('..', import.meta.url))

describe('the task', () => {
  for (const { name, run } of taskConformance(task, { data: `${folder}/fixtures/questions.jsonl` }))
    test(name, run)
})
describe('package.json', () => {
  for (const { name, run } of manifestConformance(plugin, folder)) test(name, run)
})

test('the first word counts, whatever stands around it', () => {
  const context = { options: {} }
  const document = { question: 'The capital of France?', answer: 'Paris' }
  const scored = (answer: string) =>
    task.score(
      document,
      {
        ...{ likelihoods: [], answer, extracted: task.extract!(answer, document, context), ended: true },
        ...{ loss: null, judged: [], other: null },
      },
      context,
    )
  expect([scored(' "Paris".'), scored('It is Paris.'), scored('')]).toEqual([
    { exact: 1 },
    { exact: 0 },
    { exact: 0 },
  ])
})
