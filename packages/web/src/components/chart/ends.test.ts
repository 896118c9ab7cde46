import { expect, it } from 'vitest'
import { spread } from './ends.js'

it('leaves labels that do not touch where they are', () => {
  expect(spread([100, 20, 60], 14, 0, 200)).toEqual([100, 20, 60])
})

it('moves labels that touch apart around their middle, in their order', () => {
  expect(spread([50, 50], 14, 0, 200)).toEqual([43, 57])
  expect(spread([52, 50, 54], 14, 0, 200)).toEqual([52, 38, 66])
})

it('stays between top and bottom', () => {
  expect(spread([0, 1], 14, 0, 200)).toEqual([0, 14])
  expect(spread([200, 199], 14, 0, 200)).toEqual([200, 186])
})

it('has blocks push others', () => {
  const places = spread([10, 12, 30, 200], 14, 0, 300)
  expect(places[1]! - places[0]!).toBeCloseTo(14)
  expect(places[2]! - places[1]!).toBeCloseTo(14)
  expect(places[3]).toBe(200)
})
