import { expect, test } from 'vitest'
import { configOfFlags } from './flags.js'

test('an optimizer and its own options, in either order', () => {
  const lion = { train: { optimizer: { name: 'lion', beta2: 0.98 } } }
  expect(configOfFlags({ 'train.optimizer': ['lion'], 'train.optimizer.beta2': ['0.98'] })).toEqual(lion)
  expect(configOfFlags({ 'train.optimizer.beta2': ['0.98'], 'train.optimizer': ['lion'] })).toEqual(lion)
  expect(configOfFlags({ 'train.optimizer': ['lion'] })).toEqual({ train: { optimizer: 'lion' } })
  expect(configOfFlags({ 'train.optimizer': ['{"name":"lion","beta2":0.98}'] })).toEqual(lion)
})

test('options of the optimizer that the file names', () => {
  expect(configOfFlags({ 'train.optimizer.scaleParameter': ['true'] })).toEqual({
    train: { optimizer: { scaleParameter: true } },
  })
})
