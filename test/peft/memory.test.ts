import { expect, test } from 'vitest'
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
