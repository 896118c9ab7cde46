import { describe, expect, it } from 'vitest'
import { evaluationsIn, secondsLeft, stalledFor, usualStep, type Pace } from './eta.js'

const steps = (count: number, seconds: number) => ({
  step: Array.from({ length: count }, (_, i) => i + 1),
  seconds: Array.from({ length: count }, () => seconds),
})
const none = { step: [], seconds: [] }

describe('secondsLeft', () => {
  const pace = (count: number): Pace => ({
    steps: steps(count, 2),
    evaluations: none,
    totalSteps: 30,
    evalEvery: 0,
  })

  it('is not known before step 3, and 0 at the end', () => {
    expect(secondsLeft(pace(0))).toBeNull()
    expect(secondsLeft(pace(2))).toBeNull()
    expect(secondsLeft(pace(3))).toBe(54)
    expect(secondsLeft(pace(30))).toBe(0)
  })

  it('looks at the last 20 steps only', () => {
    const slow = { step: steps(40, 0).step, seconds: [...steps(20, 100).seconds, ...steps(20, 1).seconds] }
    expect(secondsLeft({ ...pace(0), steps: slow, totalSteps: 50 })).toBe(10)
  })

  it('adds each evaluation to come as a whole', () => {
    const left = secondsLeft({
      steps: steps(24, 2),
      evaluations: { step: [6, 12, 18, 24], seconds: [5, 5, 5, 5] },
      totalSteps: 30,
      evalEvery: 6,
    })
    expect(left).toBe(6 * 2 + 5)
  })

  it('counts the evaluation that is under way', () => {
    const left = secondsLeft({
      steps: steps(24, 2),
      evaluations: { step: [6, 12, 18], seconds: [5, 5, 5] },
      totalSteps: 30,
      evalEvery: 6,
    })
    expect(left).toBe(6 * 2 + 2 * 5)
  })

  it('passes over steps whose time is not known', () => {
    const known = { step: [1, 2, 3, 4], seconds: [Number.NaN, 2, 4, Number.NaN] }
    expect(secondsLeft({ ...pace(0), steps: known, totalSteps: 5 })).toBe(3)
    expect(secondsLeft({ ...pace(0), steps: { step: [5], seconds: [Number.NaN] } })).toBeNull()
  })
})

it('counts evaluations, with the one at the end', () => {
  expect(evaluationsIn(0, 30, 6, 30)).toBe(5)
  expect(evaluationsIn(0, 31, 6, 31)).toBe(6)
  expect(evaluationsIn(24, 30, 6, 30)).toBe(1)
  expect(evaluationsIn(30, 30, 6, 30)).toBe(0)
  expect(evaluationsIn(0, 30, 0, 30)).toBe(0)
})

describe('stalledFor', () => {
  const pace: Pace = { steps: steps(10, 4), evaluations: none, totalSteps: 30, evalEvery: 0 }

  it('says so after three times the usual step', () => {
    expect(usualStep([1, 100, 4, 4, 4])).toBe(4)
    expect(stalledFor(pace, 12)).toBeNull()
    expect(stalledFor(pace, 42)).toBe(42)
  })

  it('says nothing while the usual step is not known', () => {
    expect(stalledFor({ ...pace, steps: steps(2, 4) }, 1000)).toBeNull()
  })

  it('waits for an evaluation that is due', () => {
    const due = { ...pace, evalEvery: 5 }
    expect(stalledFor(due, 1000)).toBeNull()
    const second = { ...due, evaluations: { step: [5], seconds: [20] } }
    expect(stalledFor(second, 70)).toBeNull()
    expect(stalledFor(second, 73)).toBe(73)
  })
})
