import { join } from 'node:path'
import { expect, test } from 'vitest'
import { fixture } from '../fixture/files.js'
import { readGolden, worst } from '../fixture/golden.js'
import { logitsBehind, lossBehind, withPeftAdapter } from '../fixture/ptuning.js'

// Checkpoints of ChatGLM-6B's own trainer of P-tuning v2, behind whose prefix tokens keep their positions; the model reads prompts in
// both directions.

const largest = (values: Float32Array) =>
  values.reduce((most, value) => Math.max(most, Math.abs(value)), 1e-6)

test.each([
  ['chatglm1-own', ['prompt_embeddings']],
  [
    'chatglm1-own-projected',
    [
      'prompt_encoder.embedding.weight',
      'prompt_encoder.transform.0.bias',
      'prompt_encoder.transform.0.weight',
      'prompt_encoder.transform.2.bias',
      'prompt_encoder.transform.2.weight',
    ],
  ],
])('%s: logits, loss, gradients', async (name, trained) => {
  const folder = fixture('peft-ptuning', name)
  const { floats, ...data } = await readGolden(join(folder, 'golden.safetensors'))
  const expected = floats.get('logits')!
  await withPeftAdapter(folder, async (adapted) => {
    const logits = await logitsBehind(adapted, data.sequences)
    expect(worst(logits, expected)).toBeLessThan(1e-5 * largest(expected))
    const { loss, gradients } = await lossBehind(adapted, data)
    expect(loss).toBeCloseTo(floats.get('loss')![0]!, 5)
    expect([...gradients.keys()].sort()).toEqual(trained)
    for (const [of, found] of gradients) {
      const gradient = floats.get(`grad.${of}`)!
      expect(worst(found, gradient) / largest(gradient), of).toBeLessThan(1e-4)
    }
    expect((await adapted.peft.save()).config).toMatchObject({ positions_from_zero: true })
  })
})
