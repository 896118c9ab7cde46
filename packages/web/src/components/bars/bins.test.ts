import { expect, it } from 'vitest'
import { binsOf, spanOf } from './bins.js'

const lengths = {
  width: 16,
  counts: [
    [1, 2, 3, 4, 5],
    [0, 1, 0, 1],
  ],
  median: 0,
  p95: 0,
  longest: 0,
}

it('keeps bins that fit', () => {
  const bins = binsOf(lengths, 40)
  expect(bins).toHaveLength(5)
  expect(bins[1]).toEqual({ from: 16, to: 32, counts: [2, 1], total: 3 })
  expect(bins[4]).toEqual({ from: 64, to: 80, counts: [5, 0], total: 5 })
})

it('joins neighbours when there are too many, and loses no row', () => {
  const bins = binsOf(lengths, 2)
  expect(bins.map(({ from, to, total }) => [from, to, total])).toEqual([
    [0, 48, 7],
    [48, 96, 10],
  ])
  expect(binsOf({ ...lengths, counts: [] }, 10)).toEqual([])
})

it('selects lengths by a drag in both directions, and by a click', () => {
  const bins = binsOf(lengths, 40)
  expect(spanOf(bins, 3, 1)).toEqual({ from: 16, to: 64 })
  expect(spanOf(bins, 2, 2)).toEqual({ from: 32, to: 48 })
  expect(spanOf(bins, -4, 99)).toEqual({ from: 0, to: 80 })
  expect(spanOf([], 0, 1)).toBeNull()
})
