import { describe, expect, it } from 'vitest'
import type { RunRow } from '../../api/types.js'
import { matches, termsOf } from './filter.js'

const run = {
  name: 'smol-alpaca-lora-r8',
  state: 'done',
  base: 'SmolLM2-135M',
  family: 'llama',
  method: 'lora',
  rank: 8,
  data: ['alpaca_en', 'gsm8k'],
  learningRate: 3e-4,
  quantize: null,
} as unknown as RunRow

describe('a filter of runs', () => {
  it.each([
    ['', true],
    ['alpaca', true],
    ['method:lora data:alpaca', true],
    ['METHOD:LoRA', true],
    ['method:dora', false],
    ['-method:dora', true],
    ['-state:done', false],
    ['rank:8', true],
    ['rank:80', false],
    ['rate:0.0003', true],
    ['bits:none', true],
    ['method:', true],
    ['"lora-r8"', true],
    ['unknown:field', false],
    ['data:gsm8k smol', true],
  ])('%j: %s', (filter, expected) => {
    expect(matches(run, termsOf(filter))).toBe(expected)
  })
})
