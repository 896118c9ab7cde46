import { expect, it } from 'vitest'
import { marksOf } from './marks.js'

const checkpoint = (step: number) => ({
  step,
  written: '',
  bytes: null,
  best: false,
  loss: null,
  model: null,
})

it('has a tick for each evaluation and each checkpoint', () => {
  const marks = marksOf(30, 6, 10, [checkpoint(20), checkpoint(23)])
  expect(marks.map(({ step }) => step)).toEqual([6, 10, 12, 18, 20, 23, 24, 30])
  expect(marks.filter((mark) => mark.checkpoint).map(({ step }) => step)).toEqual([20, 23])
  expect(marks.find(({ step }) => step === 23)?.evaluation).toBe(false)
})

it('thins ticks that could not be told apart, never those of checkpoints', () => {
  const marks = marksOf(50_000, 10, 0, [checkpoint(49_990)])
  expect(marks.length).toBeLessThan(130)
  expect(marks.some(({ step }) => step === 49_990)).toBe(true)
})

it('has none without evaluations', () => {
  expect(marksOf(30, 0, 0, [])).toEqual([])
})
