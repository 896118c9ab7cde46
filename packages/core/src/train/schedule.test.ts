import { expect, test } from 'vitest'
import { learningRate, warmupSteps, type Schedule } from './schedule.js'

const schedule = (kind: Schedule['kind'], minRatio = 0): Schedule => ({
  kind,
  peak: 1,
  totalSteps: 10,
  warmupSteps: 2,
  minRatio,
})
const course = (s: Schedule) =>
  Array.from({ length: 11 }, (_, step) => Number(learningRate(s, step).toFixed(4)))

test('linear', () => {
  expect(course(schedule('linear'))).toEqual([0.5, 1, 1, 0.875, 0.75, 0.625, 0.5, 0.375, 0.25, 0.125, 0])
})

test('cosine ends at its floor', () => {
  const lr = course(schedule('cosine', 0.1))
  expect(lr[2]).toBe(1)
  expect(lr[6]).toBe(0.55)
  expect(lr[10]).toBe(0.1)
})

test('constant', () => {
  expect(course(schedule('constant')).slice(2)).toEqual(Array.from({ length: 9 }, () => 1))
})

test.each(['linear', 'cosine', 'constant'] as const)('no step of a %s run has a rate of 0', (kind) => {
  for (let totalSteps = 1; totalSteps <= 40; totalSteps++)
    for (const warmup of [0, 1, warmupSteps(totalSteps, undefined, 0.03), totalSteps])
      for (let step = 0; step < totalSteps; step++)
        expect(
          learningRate({ kind, peak: 1, totalSteps, warmupSteps: warmup, minRatio: 0 }, step),
        ).toBeGreaterThan(0)
})

test('warm-up is counted over all steps and never longer than the run', () => {
  expect(warmupSteps(100, undefined, 0.03)).toBe(3)
  expect(warmupSteps(10, undefined, 0.03)).toBe(1)
  expect(warmupSteps(5, 20, 0)).toBe(5)
})
