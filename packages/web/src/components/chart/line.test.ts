import { expect, it } from 'vitest'
import { newestOf, rowsOf, valueAt, type Line } from './line.js'

const points = { x: [1, 2, 4], y: [5, 6, Number.NaN] }

it('finds the newest value, and values by their x', () => {
  expect(newestOf(points)).toBe(1)
  expect(newestOf({ x: [1], y: [Number.NaN] })).toBe(-1)
  expect(valueAt(points, 2)).toBe(6)
  expect(valueAt(points, 3)).toBeNull()
  expect(valueAt(points, 9)).toBeNull()
})

it('has a row for each x', () => {
  const line = (x: number[]): Line => ({
    key: 'a',
    name: 'a',
    points: { x, y: x },
    series: 1,
    look: 'line',
  })
  expect(rowsOf([line([1, 3]), line([2, 3])])).toEqual([1, 2, 3])
})
