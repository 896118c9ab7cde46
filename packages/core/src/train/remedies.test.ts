import { expect, test } from 'vitest'
import { plan } from './plan.js'
import { remedies, type RemedyInput } from './remedies.js'

// LLaMA-7B with LoRA of rank 8 on q_proj and v_proj, 8192 tokens at once.
const base: RemedyInput = {
  shape: {
    hidden: 4096,
    intermediate: 11008,
    layers: 32,
    heads: 32,
    kvHeads: 32,
    headDim: 128,
    vocab: 32000,
    maxPositions: 4096,
  },
  dtype: 'bf16',
  parameters: 6_738_415_616,
  trainable: 4_194_304,
  optimizerState: 8 * 4_194_304,
  method: { activationsPerToken: 16 },
  tokens: 8192,
  trainedTokens: 8192,
  budget: null,
  maxLength: 2048,
  full: false,
}
const GiB = 2 ** 30

test('each says what the plan loses by it; what fits comes first, then what saves most', () => {
  const planned = plan(base, 0)
  const limit = 28 * GiB
  const found = remedies(base, planned, limit)
  expect(new Set(found.map(({ flag }) => flag))).toEqual(
    new Set([
      '--train.recompute all',
      '--train.microBatchTokens 2048',
      '--maxLength 1024 --train.microBatchTokens 1024',
      '--quantize nf4',
    ]),
  )
  for (const { saves, fits } of found) expect(fits).toBe(planned.total - saves <= limit)
  const order = found.map(({ saves, fits }) => (fits ? 1e15 : 0) + saves)
  expect(order).toEqual([...order].sort((a, b) => b - a))
  expect(new Set(found.map(({ fits }) => fits)).size).toBe(2)
  const recomputed = found.find(({ flag }) => flag === '--train.recompute all')
  expect(recomputed!.saves).toBe(planned.total - plan(base, 32).total)
})

test('a micro-batch is halved only as far as needed, and never below a whole sequence', () => {
  const planned = plan(base, 0)
  const barely = plan({ ...base, tokens: 4096, trainedTokens: 4096 }, 0).total
  const flags = (limit: number) => remedies(base, planned, limit).map(({ flag }) => flag)
  expect(flags(barely)).toContain('--train.microBatchTokens 4096')
  expect(flags(1 * GiB)).toContain('--train.microBatchTokens 2048')
})

test('full training is offered LoRA, quantised weights are not quantised again, f32 is offered bf16', () => {
  const full = { ...base, trainable: base.parameters, adapted: 0, rank: 0, full: true, dtype: 'f32' as const }
  const offered = remedies(full, plan(full, 0), 30 * GiB).map(({ flag }) => flag)
  expect(offered).toContain('--peft.method lora')
  expect(offered).toContain('--dtype bf16')
  expect(offered).not.toContain('--quantize nf4')
  const quantized = { ...base, quantized: { elements: 6e9, bytes: 3.2e9, largest: 45e6 } }
  expect(remedies(quantized, plan(quantized, 0), GiB).map(({ flag }) => flag)).not.toContain('--quantize nf4')
})
