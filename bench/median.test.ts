import { expect, test } from 'vitest'
import { median, medians } from './median.mjs'

test.each([
  [[3], 3],
  [[1, 2], 1.5],
  [[10, 9, 2], 9],
  [[10, 9, 2, 1], 5.5],
  [[], NaN],
])('the median of %j is %d', (list, expected) => {
  expect(median(list)).toBe(expected)
})

test('the list stays in its order', () => {
  const list = [3, 1, 2]
  expect(median(list)).toBe(2)
  expect(list).toEqual([3, 1, 2])
})

test('of results the median of every number, in its place', () => {
  const round = (speed: number, gaps: number[]) => ({ server: 'ift', speed, times: { gaps }, mixed: null })
  expect(medians([round(3, [1, 2]), round(9, [5, 4]), round(4, [2, 9])])).toEqual(round(4, [2, 4]))
})
