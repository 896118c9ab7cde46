import { expect, it } from 'vitest'
import { dashOf, place, type SeriesNumber } from './series.js'

it('gives each series a dash of its own', () => {
  const dashes = ([1, 2, 3, 4, 5, 6] as const).map((series) => dashOf(series).join(' '))
  expect(new Set(dashes).size).toBe(6)
})

it('keeps the places of what stays selected', () => {
  let selected: ReadonlyMap<string, SeriesNumber> = new Map()
  for (const id of ['a', 'b', 'c']) selected = place(selected, id)!
  selected = new Map([...selected].filter(([id]) => id !== 'b'))
  selected = place(selected, 'd')!
  expect([...selected]).toEqual([
    ['a', 1],
    ['c', 3],
    ['d', 2],
  ])
  for (const id of ['e', 'f', 'g']) selected = place(selected, id)!
  expect(place(selected, 'h')).toBeNull()
})
