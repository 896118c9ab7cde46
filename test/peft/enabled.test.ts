import { expect, test } from 'vitest'
import { fixture } from '../fixture/files.js'
import { readGolden, worst } from '../fixture/golden.js'
import { logitsOf, variants, withAdapter, withLora } from '../fixture/peft.js'

test.each(variants)('%s, switched off and on', async (variant) => {
  const data = await readGolden(fixture('peft-lora', variant, 'golden.safetensors'))
  await withAdapter(fixture('peft-lora', variant), async (adapted, { config }) => {
    const { peft } = adapted
    const on = await logitsOf(adapted, data)
    peft.setEnabled(false)
    const off = await logitsOf(adapted, data)
    await withLora(String(config['base_model_name_or_path']), {}, async (base) => {
      base.peft.setEnabled(false)
      expect(worst(off, await logitsOf(base, data))).toBe(0)
    })
    expect(worst(off, on)).toBeGreaterThan(0.01)
    peft.setEnabled(true)
    expect(worst(await logitsOf(adapted, data), on)).toBe(0)
  })
})

test.each(['pissa', 'olora'] as const)('%s, switched off, is the model before it', async (init) => {
  const data = await readGolden(fixture('llama-tiny', 'golden.safetensors'))
  await withLora('llama-tiny', { init, r: 4, dropout: 0 }, async (adapted) => {
    const { peft, backend } = adapted
    for (const { parameter } of peft.trainable())
      backend.fill(parameter.master.buf, 0.1, parameter.master.size, 'f32')
    expect(worst(await logitsOf(adapted, data), data.floats.get('logits')!)).toBeGreaterThan(0.01)
    peft.setEnabled(false)
    expect(worst(await logitsOf(adapted, data), data.floats.get('logits')!)).toBeLessThan(1e-4)
  })
})
