import { describe, expect, it } from 'vitest'
import { align, gapsOf, lowerBound, mostPoints, thin } from './thin.js'

const steps = (count: number) => Float64Array.from({ length: count }, (_, i) => i + 1)

describe('thin', () => {
  it('keeps up to 2,000 points as they are', () => {
    const x = steps(mostPoints)
    expect(thin({ x, y: x }, 0, Infinity, 100).x).toHaveLength(mostPoints)
  })

  it('keeps the smallest and the largest of each pixel, in order', () => {
    const x = steps(50_000)
    const y = Float64Array.from(x, (at) => Math.sin(at / 1000))
    y[31_234] = 40
    y[31_235] = -40
    const line = thin({ x, y }, 0, 50_000, 700)
    expect(line.x.length).toBeLessThanOrEqual(2 * 701)
    expect(Math.max(...line.y)).toBe(40)
    expect(Math.min(...line.y)).toBe(-40)
    expect(line.x).toEqual([...line.x].sort((a, b) => a - b))
    expect(line.x).toContain(31_235)
    expect(line.x).toContain(31_236)
  })

  it('keeps a gap that is one point wide', () => {
    const x = steps(10_000)
    const y = Float64Array.from(x, () => 1)
    y[5000] = Number.NaN
    const line = thin({ x, y }, 0, 10_000, 200)
    expect(line.y.filter((value) => Number.isNaN(value))).toHaveLength(1)
  })

  it('goes one point beyond both edges of a zoom', () => {
    const x = steps(100)
    expect(thin({ x, y: x }, 10.5, 12.5, 100).x).toEqual([10, 11, 12, 13])
    expect(thin({ x, y: x }, 10, 12, 100).x).toEqual([9, 10, 11, 12, 13])
    expect(thin({ x: [], y: [] }, 0, 1, 100).x).toEqual([])
    expect(thin({ x: [1], y: [2] }, 0, 30, 100)).toEqual({ x: [1], y: [2] })
  })
})

it('aligns lines: no point is drawn through, no number is a gap', () => {
  const [x, train, validation] = align([
    { x: [1, 2, 3], y: [5, Number.NaN, 4] },
    { x: [2, 4], y: [6, 7] },
  ])
  expect(x).toEqual([1, 2, 3, 4])
  expect(train).toEqual([5, null, 4, undefined])
  expect(validation).toEqual([undefined, 6, undefined, 7])
})

it('takes the newest of two points at one step', () => {
  expect(align([{ x: [1, 1, 2], y: [5, 6, 7] }])).toEqual([
    [1, 2],
    [6, 7],
  ])
})

it('names gaps once each', () => {
  expect(gapsOf({ x: [1, 2, 3, 4, 5], y: [Number.NaN, 1, Number.NaN, Infinity, 2] })).toEqual([1, 3])
})

it('finds bounds', () => {
  expect(lowerBound([1, 3, 5], 3)).toBe(1)
  expect(lowerBound([1, 3, 5], 4)).toBe(2)
  expect(lowerBound([1, 3, 5], 9)).toBe(3)
})
