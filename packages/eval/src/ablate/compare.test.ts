import { describe, expect, test } from 'vitest'
import type { TaskDefinition, TaskScore } from '@ift/core'
import type { TaskEvaluation } from '../evaluate.js'
import { regex } from '../tasks/regex.js'
import { loss } from '../tasks/loss.js'
import { adjust, changedAnswers, compareArms, type ArmEvaluations } from './compare.js'

/** Evaluations of one arm: for each seed the scores of the items, by their places. */
const arm = (
  task: TaskDefinition,
  name: string,
  ...seeds: readonly (readonly TaskScore[])[]
): ArmEvaluations => ({
  arm: name,
  evaluations: seeds.map((scores) => ({
    samples: scores.map((score, i) => ({
      ...{ id: `t:${i}`, key: '', group: i % 2 ? 'zh' : 'en', cluster: null, question: `q${i}` },
      ...{ prompt: '', promptTokens: 1, answer: `${name} ${JSON.stringify(score)}` },
      scores: { [task.main]: score },
    })),
    results: { metrics: { [task.main]: { mean: null } } } as unknown as TaskEvaluation['results'],
    dir: null,
  })),
})

const bits = (text: string) => Array.from(text, Number)

describe('compareArms', () => {
  test('right answers: Wilson for each, the paired difference with its own interval, McNemar', () => {
    const [whole, other] = compareArms(regex, [
      arm(regex, 'all', bits('1111111100')),
      arm(regex, 'without x', bits('1100000000')),
    ])
    expect(whole).toMatchObject({ mean: 0.8, n: 10, difference: null })
    // statsmodels.stats.proportion.proportion_confint(8, 10, method='wilson')
    expect([whole!.low, whole!.high]).toEqual([expect.closeTo(0.49016, 5), expect.closeTo(0.94332, 5)])
    // Six items are lost and none won: 2 · 2^-6. The sd of six −1 and four 0 is 0.5164, t(0.975, 9) = 2.2622.
    expect(other!.difference).toMatchObject({ mean: -0.6, n: 10, test: 'mcnemar' })
    expect(other!.difference!.p).toBeCloseTo(2 / 64, 12)
    expect(other!.difference!.low).toBeCloseTo(-0.6 - 2.26216 * (0.516398 / Math.sqrt(10)), 4)
    expect(other!.groups).toMatchObject({ en: { n: 5, mean: 0.2 }, zh: { n: 5, mean: 0.2 } })
  })

  test('several seeds: the mean over them is what is compared, and no test of single answers is made', () => {
    const [whole, other] = compareArms(regex, [
      arm(regex, 'all', bits('1111'), bits('1100')),
      arm(regex, 'without x', bits('0000'), bits('1100')),
    ])
    expect(whole).toMatchObject({ mean: 0.75, n: 4 })
    expect(other!.difference).toMatchObject({ mean: -0.5, test: 'sign-flip', p: 0.125 })
  })

  test('a loss: the difference of the sums, by the tokens of all', () => {
    const [whole, other] = compareArms(loss, [
      arm(loss, 'all', [
        [1, 1],
        [9, 9],
        [4, 2],
      ]),
      arm(loss, 'without x', [
        [2, 1],
        [18, 9],
        [8, 2],
      ]),
    ])
    expect(whole!.mean).toBeCloseTo(14 / 12)
    expect(other!.mean).toBeCloseTo(28 / 12)
    expect(other!.difference).toMatchObject({
      test: 'swap',
      mean: expect.closeTo(14 / 12) as number,
    })
    expect(other!.difference!.low).toBeGreaterThan(0)
  })

  test('items that share something, such as a table, are no tests of their own', () => {
    const shared = (name: string, scores: string) => {
      const { evaluations, ...one } = arm(regex, name, bits(scores))
      const clustered = evaluations.map((evaluation) => ({
        ...evaluation,
        samples: evaluation.samples.map((sample, i) => ({ ...sample, cluster: `table ${i >> 2}` })),
      }))
      return { ...one, evaluations: clustered }
    }
    const [, other] = compareArms(regex, [shared('all', '11111111'), shared('without x', '00000000')])
    // Two tables have lost their four items: one of four ways to flip two signs, and its opposite.
    expect(other!.difference).toMatchObject({ mean: -1, test: 'sign-flip', p: 0.5, needed: null })
  })

  test('only items that both have scores for are compared', () => {
    const [, other] = compareArms(regex, [
      arm(regex, 'all', [1, null, 1]),
      arm(regex, 'without x', [0, 1, null]),
    ])
    expect(other).toMatchObject({ n: 2, difference: { n: 1, mean: -1 } })
    const [, none] = compareArms(regex, [arm(regex, 'all', [1, null]), arm(regex, 'x', [null, 1])])
    expect(none!.difference).toBeNull()
  })
})

test('values of p are adjusted for all comparisons of a report', () => {
  const cells = adjust(
    compareArms(regex, [
      arm(regex, 'all', bits('1111111100')),
      arm(regex, 'a', bits('1100000000')),
      arm(regex, 'b', bits('1111000000')),
    ]),
  )
  const close = (value: number) => expect.closeTo(value, 12) as number
  expect(cells.map(({ difference }) => difference?.p)).toEqual([undefined, close(2 / 64), close(2 / 16)])
  expect(cells.map(({ difference }) => difference?.adjusted)).toEqual([
    undefined,
    close(4 / 64),
    close(2 / 16),
  ])
})

test('changed answers: of each arm in turn, only those whose score is another', () => {
  const changed = changedAnswers(
    regex,
    [arm(regex, 'all', bits('1100')), arm(regex, 'a', bits('0000')), arm(regex, 'b', bits('1101'))],
    2,
  )
  expect(changed.map(({ arm: name, id }) => [name, id])).toEqual([
    ['a', 't:0'],
    ['b', 't:3'],
  ])
  expect(changed[0]).toMatchObject({
    before: { score: 1, answer: 'all 1' },
    after: { score: 0, answer: 'a 0' },
  })
})
