import { expect, it } from 'vitest'
import type { RunReply } from '../../api/types.js'
import { MetricColumns } from './columns.js'
import { settingOf, summaryOf } from './summary.js'

const run = {
  step: 3,
  seconds: 9,
  tokensPerSecond: 511,
  config: { train: { clipNorm: 1 } },
  plan: { logEvery: 1 },
  measured: { peakMemory: 5, memory: 4, tokens: 900, trainedTokens: 90 },
} as unknown as RunReply

const train = new MetricColumns({
  step: [1, 2, 3],
  loss: [2, 1.5, 1.4],
  gradientNorm: [2, 0.5, 1.5],
  tokens: [100, 100, 100],
  trainedTokens: [10, 20, 30],
  tokensPerSecond: [500, Number.NaN, 520],
  peakMemory: [3, 6, 7],
})

it('sums up the lines of a run', () => {
  const evaluation = new MetricColumns({ step: [1, 2, 3], loss: [2, 1.7, 1.8] })
  const summary = summaryOf(run, train, evaluation, 0)
  expect(summary).toMatchObject({
    ...{ step: 3, loss: 1.4, smoothed: 1.4, evalLoss: 1.8, isBest: false, tokens: 300, trainedTokens: 60 },
    ...{ gradientNorm: 1.5, clipped: 2, peakMemory: 7, tokensPerSecond: 520, meanTokensPerSecond: 511 },
    bestEval: { step: 2, loss: 1.7 },
    firstEval: { step: 1, loss: 2 },
    elapsed: 9,
  })
})

it('takes counts of the run itself when not every step has a line', () => {
  const sparse = { ...run, plan: { logEvery: 10 } } as unknown as RunReply
  expect(summaryOf(sparse, train, new MetricColumns(), 0)).toMatchObject({ tokens: 900, trainedTokens: 90 })
})

it('has nothing where there are no lines', () => {
  expect(summaryOf(run, new MetricColumns(), new MetricColumns(), 0.9)).toMatchObject({
    ...{ loss: null, smoothed: null, evalLoss: null, bestEval: null, isBest: false, gradientNorm: null },
  })
  expect(settingOf(run, 'train.clipNorm')).toBe(1)
  expect(settingOf(run, 'train.none.deeper')).toBeNull()
  expect(settingOf({ config: null }, 'train')).toBeNull()
})
