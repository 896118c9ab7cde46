import { describe, test } from 'vitest'
import { optimizerConformance } from '../../testing/optimizer.js'
import { adafactor } from './adafactor.js'
import { adamw } from './adamw.js'
import { lion } from './lion.js'

describe.each([
  [adamw, {}],
  [lion, {}],
  [adafactor, {}],
  [adafactor, { beta1: 0.9, scaleParameter: true }],
])('%#', (definition, options) => {
  for (const { name, run } of optimizerConformance(definition, { options })) test(name, run)
})
