import { expect, it } from 'vitest'
import { equal, laidOver, renamed, valueAt, without, withMethod, withValue } from './draft.js'

const config = { weights: 'a', train: { epochs: 2 }, peft: { method: 'lora', r: 8, useDora: true } }

it('reads, sets and removes values by path', () => {
  expect(valueAt(config, 'train.epochs')).toBe(2)
  expect(valueAt(config, 'train.none.deeper')).toBeUndefined()
  expect(valueAt(config, 'train.constructor')).toBeUndefined()
  expect(withValue(config, 'train.batchSize', 16).train).toEqual({ epochs: 2, batchSize: 16 })
  expect(withValue({}, 'a.b.c', 1)).toEqual({ a: { b: { c: 1 } } })
  expect(without(config, 'train.epochs')).toEqual({ weights: 'a', peft: config.peft })
  expect(without(config, 'none.of.it')).toBe(config)
  expect(config.train).toEqual({ epochs: 2 })
})

it('gives a value its right name', () => {
  expect(renamed({ train: { lr: 1e-4 } }, 'train.lr', 'train.learningRate')).toEqual({
    train: { learningRate: 1e-4 },
  })
  expect(renamed({ wieghts: 'a' }, 'wieghts', 'weights')).toEqual({ weights: 'a' })
})

it('lays changes over what is there', () => {
  expect(laidOver(config, { quantize: 'nf4', train: { recompute: 'all' } })).toEqual({
    ...config,
    quantize: 'nf4',
    train: { epochs: 2, recompute: 'all' },
  })
})

it('keeps options that the new method has too', () => {
  expect(withMethod(config, 'dora', ['peft.r', 'peft.alpha']).peft).toEqual({ r: 8, method: 'dora' })
  expect(withMethod({}, 'none', []).peft).toEqual({ method: 'none' })
})

it('compares values', () => {
  expect(equal(undefined, null)).toBe(true)
  expect(equal([1, 2], [1, 2])).toBe(true)
  expect(equal(16, '16')).toBe(false)
})
