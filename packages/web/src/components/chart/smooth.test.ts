import { expect, it } from 'vitest'
import { smooth } from './smooth.js'

it('begins at the first value, not at zero', () => {
  expect([...smooth([2, 2, 2], 0.9)].map((value) => Number(value.toFixed(12)))).toEqual([2, 2, 2])
  const [, second] = smooth([1, 2], 0.75)
  // (0.75 · 0.25 · 1 + 0.25 · 2) / (1 − 0.75²)
  expect(second).toBeCloseTo((0.75 * 0.25 + 0.5) / (1 - 0.5625), 12)
})

it('is the values themselves at weight 0', () => {
  expect([...smooth([3, 1, 2], 0)]).toEqual([3, 1, 2])
})

it('passes over values that are not finite, and goes on behind them', () => {
  const [first, second, third] = smooth([1, Number.NaN, 1], 0.5)
  expect([first, second, third]).toEqual([1, Number.NaN, 1])
  expect(smooth([1, Infinity, 3], 0.5)[2]).toBe(smooth([1, 3], 0.5)[1])
})
