import { expect, test } from 'vitest'
import { openAdapter, type AdapterSource } from '@ift/core'
import { vera } from '@ift/peft-vera'
import { fixture } from '../fixture/files.js'
import { readGolden, worst } from '../fixture/golden.js'
import { withAdapterOf, withMethod } from '../fixture/method.js'
import { allDefinitions, definitionOf } from '../fixture/models.js'
import { expectParity } from '../fixture/peft-parity.js'
import { logitsOf, lossOf } from '../fixture/peft.js'

const definitions = await allDefinitions()

const attached = (base: string, options: unknown, use: Parameters<typeof withMethod>[4]) =>
  withMethod(vera, definitionOf(definitions, base), base, options, use)

expectParity(vera, 'peft-vera', [
  'llama',
  'sizes',
  'by-key',
  'layers',
  'modules-to-save',
  'bias-vera-only',
  'bias-all',
  'bloom',
  'gptj',
])

test.each(['llama', 'bloom'])(
  'without targets in the config %s is adapted where PEFT adapts it',
  async (name) => {
    const adapter = await openAdapter(fixture('peft-vera', name))
    await attached(String(adapter.config['base_model_name_or_path']), { r: 5 }, async ({ peft }) => {
      const { tensors } = await peft.save()
      expect([...tensors.keys()].sort()).toEqual([...adapter.names()].sort())
      // The projections are those of the key, as PEFT has made them, bit for bit.
      for (const key of ['base_model.vera_A', 'base_model.vera_B'])
        expect(worst(await tensors.get(key)!.read(), await adapter.read(key))).toBe(0)
    })
  },
)

test('projections in the file win over those of the key', async () => {
  const golden = await readGolden(fixture('peft-vera/sizes/golden.safetensors'))
  await withAdapterOf([vera], fixture('peft-vera/sizes'), async (adapted, adapter) => {
    const before = await logitsOf(adapted, golden)
    const config = { ...adapter.config, projection_prng_key: 1 }
    const base = String(adapter.config['base_model_name_or_path'])
    await attached(base, vera.fromAdapterConfig(config), async (other) => {
      await other.peft.load({ ...changed(adapter), config })
      expect(worst(await logitsOf(other, golden), before)).toBe(0)
    })
  })
})

test('a file that lacks the projections it promises is refused', async () => {
  const adapter = await openAdapter(fixture('peft-vera/by-key'))
  const config = { ...adapter.config, save_projection: true }
  const base = String(adapter.config['base_model_name_or_path'])
  await attached(base, vera.fromAdapterConfig(config), async ({ peft }) => {
    await expect(peft.load({ ...changed(adapter), config })).rejects.toMatchObject({
      code: 'IFT_ADAPTER_MISSING',
      message: expect.stringMatching(/"base_model\.vera_A" is missing/) as string,
    })
  })
})

test('what PEFT has no field for is written by names', async () => {
  await attached('llama-tiny', { r: 2, excludeModules: ['layers.0.self_attn.q_proj'] }, async ({ peft }) => {
    const { config } = await peft.save()
    expect(config).not.toHaveProperty('exclude_modules')
    expect(config['target_modules']).toHaveLength(5)
  })
})

test('dropout draws while it trains, and then alone', async () => {
  const golden = await readGolden(fixture('llama-tiny/golden.safetensors'))
  const results: { loss: number; logits: Float32Array }[] = []
  for (const dropout of [0, 0.5])
    await attached('llama-tiny', { r: 2, dropout }, async (adapted) => {
      const { peft, backend } = adapted
      expect(peft.stochastic).toBe(dropout > 0)
      for (const { parameter } of peft.trainable())
        backend.fill(parameter.master.buf, 1, parameter.master.size, 'f32')
      const loss = await lossOf(adapted, golden)
      for (const { parameter } of peft.trainable()) parameter.zeroGrad()
      peft.setTraining(false)
      results.push({ loss, logits: await logitsOf(adapted, golden) })
    })
  expect(Math.abs(results[0]!.loss - results[1]!.loss)).toBeGreaterThan(1e-3)
  expect(worst(results[0]!.logits, results[1]!.logits)).toBe(0)
})

/** An open adapter as an object that can be spread. */
const changed = (adapter: AdapterSource): AdapterSource => ({
  config: adapter.config,
  path: adapter.path,
  names: () => adapter.names(),
  shape: (name) => adapter.shape(name),
  read: (name) => adapter.read(name),
})
