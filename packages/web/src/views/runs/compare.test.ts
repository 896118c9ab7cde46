import { expect, it } from 'vitest'
import { differences, flatten, otherValidation, shortNames, valueText } from './compare.js'

it('marks what differs from the first config', () => {
  const base = { weights: 'a', peft: { method: 'lora', r: 8 }, data: ['x', 'y'] }
  const found = differences([
    base,
    { ...base, peft: { method: 'lora', r: 16 } },
    { ...base, peft: { method: 'pissa', r: 8 }, train: { learningRate: 1e-4 } },
    { ...base, data: ['x'] },
  ])
  expect(found).toEqual([
    { path: 'peft.method', values: ['lora', 'lora', 'pissa', 'lora'], differs: [false, false, true, false] },
    { path: 'peft.r', values: [8, 16, 8, 8], differs: [false, true, false, false] },
    {
      path: 'data',
      values: [['x', 'y'], ['x', 'y'], ['x', 'y'], ['x']],
      differs: [false, false, false, true],
    },
    { path: 'train.learningRate', values: [null, null, 1e-4, null], differs: [false, false, true, false] },
  ])
  expect(differences([base, base])).toEqual([])
})

it('flattens objects, not lists', () => {
  expect([...flatten({ a: { b: 1, c: [{ d: 2 }] }, e: null })]).toEqual([
    ['a.b', 1],
    ['a.c', [{ d: 2 }]],
    ['e', null],
  ])
})

it('shows values as they are typed', () => {
  expect(valueText(3e-4)).toBe('3e-4')
  expect(valueText(0.05)).toBe('0.05')
  expect(valueText(16)).toBe('16')
  expect(valueText(null)).toBe('—')
  expect(valueText('')).toBe('""')
  expect(valueText(false)).toBe('false')
  expect(valueText(['alpaca_en', 'alpaca_zh', 'gsm8k'])).toBe('["alpaca_en","alpaca_zh…')
})

it('compares losses of the same rows only', () => {
  expect(otherValidation([{ validationKey: 'a' }, { validationKey: 'a' }])).toBe(false)
  expect(otherValidation([{ validationKey: 'a' }, { validationKey: null }])).toBe(false)
  expect(otherValidation([{ validationKey: 'a' }, { validationKey: 'b' }])).toBe(true)
})

it('leaves out what all names begin with', () => {
  expect(shortNames(['smol-alpaca-lora-r8', 'smol-alpaca-pissa-r8'])).toEqual(['lora-r8', 'pissa-r8'])
  expect(shortNames(['a-b', 'a-b-c'])).toEqual(['b', 'b-c'])
  expect(shortNames(['one'])).toEqual(['one'])
})
