import { expect, test } from 'vitest'
import { withRecipe } from './recipe.js'
import { resolveConfig } from './validate.js'

const recipe = {
  peft: { lora: { r: 32, alpha: 32, dropout: 0.1 } },
  train: { learningRate: 2e-5, batchSize: 64, epochs: 1 },
}
const apply = (written: object) => withRecipe(resolveConfig(written, 'test'), recipe)

test('a recipe fills in what the user left open, and says so', () => {
  const { config, taken } = apply({})
  expect(config.train).toMatchObject({ learningRate: 2e-5, batchSize: 64, epochs: 1, schedule: 'linear' })
  expect(config.peft).toEqual({ method: 'lora', r: 32, alpha: 32, dropout: 0.1 })
  expect(taken).toEqual([
    'train.learningRate: 0.00002',
    'train.batchSize: 64',
    'train.epochs: 1',
    'peft.r: 32',
    'peft.alpha: 32',
    'peft.dropout: 0.1',
  ])
})

test('what the user set stays, also where it equals the default', () => {
  const { config, taken } = apply({
    train: { learningRate: 3e-4, tokensPerStep: 100 },
    peft: { method: 'lora', r: 4 },
  })
  expect(config.train).toMatchObject({ learningRate: 3e-4, batchSize: 128, epochs: 1 })
  // Rank and scale belong together.
  expect(config.peft).toEqual({ method: 'lora', r: 4 })
  expect(taken).toEqual(['train.epochs: 1'])
})

test('other methods, and adapters that training goes on from, keep their options', () => {
  expect(apply({ peft: { method: 'none' } }).config.peft).toEqual({ method: 'none' })
  expect(apply({ adapter: 'there' }).config.peft).toEqual({ method: 'lora' })
  expect(apply({ peft: { method: 'lora', targetModules: ['a'] } }).config.peft).toEqual({
    method: 'lora',
    targetModules: ['a'],
    r: 32,
    alpha: 32,
    dropout: 0.1,
  })
})

test('without a recipe nothing changes', () => {
  const config = resolveConfig({}, 'test')
  expect(withRecipe(config, undefined)).toEqual({ config, taken: [] })
})
