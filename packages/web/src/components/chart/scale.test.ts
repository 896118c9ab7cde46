import { describe, expect, it } from 'vitest'
import { linearRange, logRange, logTicks, roundTop, stepTicks, tickTexts, ticks } from './scale.js'

describe('ticks', () => {
  it('are round', () => {
    expect(ticks(1.25, 2.02, 4)).toEqual([1.4, 1.6, 1.8, 2])
    expect(ticks(0, 3.15e-4, 3)).toEqual([0, 2e-4])
    expect(ticks(0, 30, 5, true)).toEqual([0, 10, 20, 30])
    expect(ticks(1.682, 1.788, 5)).toEqual([1.7, 1.72, 1.74, 1.76, 1.78])
    expect(ticks(0, 3, 5, true)).toEqual([0, 1, 2, 3])
  })

  it('never are more than asked for', () => {
    for (const to of [0.007, 1, 13, 99, 1234, 5e6]) expect(ticks(0, to, 5).length).toBeLessThanOrEqual(5)
  })

  it('of a range that is none are its one value', () => {
    expect(ticks(2, 2)).toEqual([2])
    expect(ticks(Number.NaN, 2)).toEqual([])
  })

  it('of logarithms are powers of ten, or round numbers inside one', () => {
    expect(logTicks(0.01, 100)).toEqual([0.01, 0.1, 1, 10, 100])
    expect(logTicks(1.3, 2.1, 4)).toEqual([1.4, 1.6, 1.8, 2])
    expect(logTicks(1e-9, 1e9, 5).length).toBeLessThanOrEqual(5)
    expect(logTicks(0, 1)).toEqual([])
  })
})

it('divides the steps of a run', () => {
  expect(stepTicks(0, 30, 6)).toEqual([0, 6, 12, 18, 24, 30])
  expect(stepTicks(0, 30, 2)).toEqual([0, 15, 30])
  expect(stepTicks(0, 50_000, 6)).toEqual([0, 10_000, 20_000, 30_000, 40_000, 50_000])
  expect(stepTicks(0, 1175, 6)).toEqual([0, 200, 400, 600, 800, 1000])
  expect(stepTicks(7, 13, 3)).toEqual([8, 10, 12])
})

it('ends an axis at a round number with a round half', () => {
  expect([2.9e-4, 0.24, 1120, 2.47, 0].map(roundTop)).toEqual([3e-4, 0.3, 1500, 3, 1])
})

it('ranges leave 5 %', () => {
  expect(linearRange(1, 2, null)).toEqual([0.95, 2.05])
  expect(linearRange(0.1, 2, 0)).toEqual([0, 2.1])
  expect(linearRange(null, null, 0)).toEqual([0, 1.05])
  const [low, high] = linearRange(3, 3, null)
  expect(low).toBeLessThan(3)
  expect(high).toBeGreaterThan(3)
  expect(logRange(1, 100)[0]).toBeLessThan(1)
  expect(logRange(null, null)[0]).toBeGreaterThan(0)
})

it('marks have one precision', () => {
  expect(tickTexts([1.4, 1.6, 2])).toEqual(['1.4', '1.6', '2.0'])
  expect(tickTexts([0, 1.5e-4, 3e-4])).toEqual(['0', '1.5e-4', '3.0e-4'])
  expect(tickTexts([0, 750, 1500])).toEqual(['0', '750', '1,500'])
  expect(tickTexts([0.01, 1, 100])).toEqual(['0.01', '1', '100'])
  expect(tickTexts([-1, 0])).toEqual(['−1', '0'])
})
