import { mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, describe, expect, test } from 'vitest'
import { openAdapter, writeAdapter, type AdapterSource } from '@ift/core'
import { bottleneck, houlsby, parallel, pfeiffer } from '@ift/peft-adapters'
import { fixture } from '../fixture/files.js'
import { readGolden, worst } from '../fixture/golden.js'
import { withAdapterOf } from '../fixture/method.js'
import { logitsOf, lossOf } from '../fixture/peft.js'

const methods = [houlsby, pfeiffer, parallel, bottleneck]
const out = mkdtempSync(join(tmpdir(), 'ift-adapters-'))
afterAll(() => {
  rmSync(out, { recursive: true })
})

/** What an adapter was made with, by the method that reads it. */
function optionsOf({ config }: AdapterSource): unknown {
  const reads = methods.find(({ peftTypes }) => peftTypes.includes(String(config['peft_type'])))!
  return [reads.name, reads.fromAdapterConfig(config)]
}

const largest = (values: Float32Array) => values.reduce((most, value) => Math.max(most, Math.abs(value)), 0)

const six = ['houlsby', 'pfeiffer', 'parallel', 'scaling-learned', 'sublayer-alone', 'twice']

describe.each([
  ...[...six, 'norms', 'norm-with-skip', 'parallel-both', 'no-stream'].map((name) => `peft-adapters/${name}`),
  ...six.map((name) => `peft-adapters/gpt2/${name}`),
  ...['gptj', 'qwen2', 'qwen3', 'gemma3', 'older'].map((name) => `peft-adapters/${name}`),
  ...['houlsby', 'pfeiffer', 'parallel', 'biases', 'bloom'].map((name) => `peft-bottleneck/${name}`),
])('%s', (name) => {
  const dir = fixture(name)

  test('logits, loss and gradients of what is trained, and the same files again', async () => {
    const data = await readGolden(join(dir, 'golden.safetensors'))
    await withAdapterOf(methods, dir, async (adapted, before) => {
      const { peft } = adapted
      const expected = data.floats.get('logits')!
      expect(worst(await logitsOf(adapted, data), expected) / largest(expected)).toBeLessThan(1e-5)
      expect(await lossOf(adapted, data)).toBeCloseTo(data.floats.get('loss')![0]!, 5)
      const names = [...data.floats.keys()].filter((name) => name.startsWith('grad.'))
      const trainable = new Map(
        [...peft.trainable()].map(({ name, parameter }) => [`grad.${name}`, parameter]),
      )
      expect([...trainable.keys()].sort()).toEqual(names.sort())
      for (const [name, parameter] of trainable) {
        const gradient = data.floats.get(name)!
        const found = await parameter.grad!.read()
        expect(worst(found, gradient) / Math.max(largest(gradient), 1e-6), name).toBeLessThan(1e-4)
        parameter.zeroGrad()
      }
      expect(peft.merge).toBeNull()

      const to = join(out, name.replaceAll('/', '-'))
      await writeAdapter(to, await peft.save())
      const after = await openAdapter(to)
      expect([...after.names()].sort()).toEqual([...before.names()].sort())
      for (const name of before.names()) {
        expect(after.shape(name), name).toEqual(before.shape(name))
        expect(worst(await after.read(name), await before.read(name)), name).toBe(0)
      }
      for (const [field, value] of Object.entries(before.config))
        if (!/^(model_class|model_type|type|version|base_model_name_or_path)$/.test(field))
          expect(after.config[field], field).toEqual(value)
      expect(optionsOf(after)).toEqual(optionsOf(before))
      // Python tells 1.0 from 1.
      expect(readFileSync(join(to, 'adapter_config.json'), 'utf8')).not.toMatch(/"scaling": \d+[,\n]/)
    })
  })
})
