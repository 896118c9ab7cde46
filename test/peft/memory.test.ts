import { expect, test } from 'vitest'
import { plan } from '@ift/core'
import { withLora } from '../fixture/peft.js'

test.each([
  [{ r: 4, targetModules: ['q_proj', 'v_proj'] }, 8],
  [{ r: 4, targetModules: ['q_proj', 'v_proj'], rankPattern: { 'layers.0.self_attn.q_proj': 8 } }, 8 + 4 / 3],
  // The rows of q and v that DoRA lengthens, of 6 and 2 heads of 8.
  [{ r: 4, targetModules: ['q_proj', 'v_proj'], dora: true }, 8 + 64],
  // What an embedding adds is no part of a layer.
  [{ r: 4, targetModules: ['q_proj', 'embed_tokens'] }, 4],
])('LoRA says what its branches keep for each token of a layer: %j', async (options, expected) => {
  await withLora('llama-tiny', options, ({ model, peft }) => {
    expect(model.layers).toHaveLength(3)
    expect(peft.memory!()).toEqual({ activationsPerToken: expected, bytes: 0 })
    return Promise.resolve()
  })
})

test('the plan of a run holds it, for every layer that is not recomputed', () => {
  const shape = {
    ...{ hidden: 64, intermediate: 128, layers: 3, heads: 4, kvHeads: 4, headDim: 16, vocab: 100 },
    maxPositions: null,
  }
  const input = {
    shape,
    dtype: 'bf16' as const,
    parameters: 1000,
    trainable: 10,
    optimizerState: 80,
    tokens: 7,
    trainedTokens: 7,
    budget: null,
  }
  const without = plan({ ...input, method: null }, 0)
  const with8 = plan({ ...input, method: { activationsPerToken: 8 } }, 0)
  expect(with8.activations - without.activations).toBe(3 * 7 * 8 * 2)
  // Keys and values of 20 virtual tokens in front of 3 sequences.
  const virtual = plan({ ...input, method: null, virtualKeys: 60 }, 0)
  expect(virtual.activations - without.activations).toBe(3 * 60 * 2 * 64 * 2)
  const recomputed = (method: { activationsPerToken: number } | null) =>
    plan({ ...input, method }, 3).activations
  expect(recomputed({ activationsPerToken: 8 })).toBe(recomputed(null))
})
