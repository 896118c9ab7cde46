import { expect, test } from 'vitest'
import { agreement, judgedAgain, lengthCorrelation } from './bias.js'

test('a seeded tenth is judged again', () => {
  const chosen = judgedAgain(200, { seed: 4 })
  expect(chosen).toHaveLength(20)
  expect(new Set(chosen).size).toBe(20)
  expect(chosen.every((i) => i >= 0 && i < 200)).toBe(true)
  expect(judgedAgain(200, { seed: 4 })).toEqual(chosen)
  expect(judgedAgain(200, { seed: 5 })).not.toEqual(chosen)
  expect(judgedAgain(3)).toHaveLength(1)
  expect(judgedAgain(0)).toEqual([])
})

test('how far a judge agrees with itself', () => {
  expect(agreement([1, 0.5, null, 0], [1, 0.25, 1, null])).toEqual({
    items: 2,
    same: 0.5,
    meanDistance: 0.125,
  })
  expect(agreement([null], [1])).toEqual({ items: 0, same: null, meanDistance: null })
})

test('whether long answers have high scores', () => {
  const judged = ['a', 'bb', 'ccc', 'dddd'].map((answer, i) => ({ answer, score: i / 3 }))
  expect(lengthCorrelation(judged)).toBeCloseTo(1, 12)
  expect(lengthCorrelation([...judged, { answer: 'x'.repeat(99), score: null }])).toBeCloseTo(1, 12)
  expect(lengthCorrelation(judged.map(({ answer }) => ({ answer, score: 1 })))).toBeNull()
  expect(lengthCorrelation([])).toBeNull()
})
