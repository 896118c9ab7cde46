import type { TaskDefinition } from '@ift/core'
import { expect, test } from 'vitest'
import { compareRuns } from './compare.js'
import type { EvalSample } from './results.js'
import { mcnemar, pairedDifference } from './statistics/index.js'

const task = {
  name: 'made',
  metrics: {
    right: { description: 'a share', kind: 'share' },
    grade: { description: 'a mean', kind: 'mean' },
    ratio: { description: 'of sums', kind: 'corpus', of: ([a = 0, b = 0]: readonly number[]) => a / b },
  },
} as unknown as TaskDefinition

const sample = (i: number, scores: EvalSample['scores'], cluster: string | null = null): EvalSample => ({
  ...{
    id: `x:${i}`,
    key: 'k',
    group: null,
    cluster,
    question: `q${i}`,
    prompt: 'p',
    promptTokens: 1,
    scores,
  },
})
const run = (samples: readonly EvalSample[]) => ({
  path: 'other/samples.jsonl',
  samples: new Map(samples.map((one) => [one.id, one])),
})

test('shares, means and numbers of a corpus have their own tests', () => {
  const right = Array.from({ length: 40 }, (_, i) => (i % 4 === 0 ? 0 : 1))
  const ours = right.map((one, i) => sample(i, { right: one, grade: one + i / 80, ratio: [one, 1] }))
  const theirs = right.map((_, i) => sample(i, { right: i % 2, grade: i / 80, ratio: [i % 2, 1] }))
  const { items, differences } = compareRuns(task, ours, run(theirs))
  expect(items).toBe(40)
  const halves = right.map((_, i) => i % 2)
  expect(differences['right']).toMatchObject({ mean: 0.25, test: 'mcnemar', p: mcnemar(right, halves).p })
  expect(differences['right']!.se).toBe(pairedDifference(right, halves).se)
  expect(differences['grade']).toMatchObject({ test: 'sign-flip', n: 40 })
  expect(differences['grade']!.p).toBeLessThan(0.001)
  const { ratio } = differences
  expect(ratio).toMatchObject({ test: 'swap', mean: 0.25, n: 40, needed: null })
  // For a ratio over equal sums it is the share again: near its exact test.
  expect(Math.abs(ratio!.p - differences['right']!.p)).toBeLessThan(0.02)
  expect(ratio!.low).toBeLessThan(0.25)
  expect(compareRuns(task, ours, run(ours)).differences['ratio']).toMatchObject({ mean: 0, p: 1 })
})

test('items that share a table are exchanged together', () => {
  const samples = (right: number) =>
    Array.from({ length: 24 }, (_, i) => sample(i, { right }, `table ${i % 3}`))
  const { differences } = compareRuns(task, samples(1), run(samples(0)))
  // Three tables have eight ways to be exchanged, of which two are as far apart: 24 statements are no 24 draws.
  expect(differences['right']).toMatchObject({
    mean: 1,
    test: 'sign-flip',
    p: 0.25,
    n: 24,
    method: 'clustered',
  })
  expect(Object.keys(differences)).toEqual(['right'])
})

test('items of one run alone, and without a score in both, do not count; other questions are no comparison', () => {
  const ours = [sample(0, { right: 1 }), sample(1, { right: null }), sample(2, { right: 1 })]
  const theirs = [sample(0, { right: 0 }), sample(1, { right: 0 })]
  expect(compareRuns(task, ours, run(theirs))).toMatchObject({
    items: 2,
    differences: { right: { n: 1, se: null } },
  })
  const others = run([{ ...sample(0, { right: 0 }), question: 'another' }])
  expect(() => compareRuns(task, ours, others)).toThrow(/expected the questions of this run, found others/)
})
