import { mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, describe, expect, test } from 'vitest'
import { openAdapter, openSafetensors, readStored, writeAdapter } from '@ift/core'
import { greedyIds } from '@ift/core/testing'
import { fixture } from '../fixture/files.js'
import { readGolden, worst, type Golden } from '../fixture/golden.js'
import type { Adapted } from '../fixture/peft.js'
import { logitsBehind, lossBehind, methodOf, withMethod, withPeftAdapter } from '../fixture/ptuning.js'

const folder = mkdtempSync(join(tmpdir(), 'ift-ptuning-'))
afterAll(() => {
  rmSync(folder, { recursive: true })
})

const dirOf = (name: string) => fixture('peft-ptuning', name)
const all = readdirSync(fixture('peft-ptuning')).filter((name) => !/^(text|chatglm1)-/.test(name))
const encoded = all.filter((name) => /-(mlp|lstm|projected)$/.test(name))
const largest = (values: Float32Array) =>
  values.reduce((most, value) => Math.max(most, Math.abs(value)), 1e-6)

/** Loss and gradients are those of the golden file. */
async function claimLoss(adapted: Adapted, data: Golden): Promise<void> {
  const { loss, gradients } = await lossBehind(adapted, data)
  expect(loss).toBeCloseTo(data.floats.get('loss')![0]!, 5)
  const names = [...data.floats.keys()].filter((name) => name.startsWith('grad.'))
  expect([...gradients.keys()].sort()).toEqual(names.map((name) => name.slice('grad.'.length)).sort())
  for (const [name, found] of gradients) {
    const expected = data.floats.get(`grad.${name}`)!
    expect(worst(found, expected) / largest(expected), name).toBeLessThan(1e-4)
  }
}

describe.each(all)('%s, made by Hugging Face PEFT', (name) => {
  test('logits, and loss and gradient of the rows that the file holds', async () => {
    const data = await readGolden(join(dirOf(name), 'golden.safetensors'))
    const expected = data.floats.get('logits')!
    await withPeftAdapter(dirOf(name), async (adapted) => {
      const logits = await logitsBehind(adapted, data.sequences)
      expect(worst(logits, expected)).toBeLessThan(1e-5 * largest(expected))
      if (!encoded.includes(name)) return claimLoss(adapted, data)
      const { loss, gradients } = await lossBehind(adapted, data)
      expect(loss).toBeCloseTo(data.floats.get('loss')![0]!, 5)
      expect([...gradients.keys()]).toEqual(['prompt_embeddings'])
    })
  })

  test('generates greedily what PEFT does without its cache', async () => {
    const path = join(dirOf(name), 'golden.safetensors')
    const data = await readGolden(path)
    const greedy = (await openSafetensors(path)).tensors.get('greedy')!
    const expected = new Int32Array((await readStored(greedy)).slice().buffer)
    await withPeftAdapter(dirOf(name), async ({ model, backend, peft, shape }) => {
      for (const [s, ids] of data.sequences.entries())
        expect(await greedyIds(backend, model, shape, [...ids], 8, peft)).toEqual([
          ...expected.subarray(8 * s, 8 * (s + 1)),
        ])
    })
  })

  test('written again it is the same file under the same config', async () => {
    await withPeftAdapter(dirOf(name), async ({ peft }, before) => {
      const out = join(mkdtempSync(join(folder, 'saved-')), 'adapter')
      await writeAdapter(out, await peft.save())
      const bytes = (dir: string) => readFileSync(join(dir, 'adapter_model.safetensors'))
      expect(bytes(out).equals(bytes(dirOf(name)))).toBe(true)
      const { peft_version: _version, ...fields } = before.config
      expect((await openAdapter(out)).config).toEqual(fields)
    })
  })
})

describe.each(encoded)("%s with PEFT's values in its encoder", (name) => {
  test('rows, loss and the gradient of every tensor', async () => {
    const golden = join(dirOf(name), 'golden.safetensors')
    const data = await readGolden(golden)
    const adapter = await openAdapter(dirOf(name))
    const method = methodOf(adapter)
    const options = method.fromAdapterConfig(adapter.config) as Record<string, unknown>
    const base = String(adapter.config['base_model_name_or_path'])
    await withMethod(method, base, options, async (adapted) => {
      const { peft, backend } = adapted
      for (const { name: of, parameter } of peft.trainable()) {
        backend.write(parameter.master.buf, data.floats.get(`value.${of}`)!)
        parameter.roundFromMaster()
      }
      const { tensors, config } = await peft.save()
      const rows = tensors.get('prompt_embeddings')!
      const expected = await adapter.read('prompt_embeddings')
      expect(tensors.size).toBe(1)
      expect(worst(await rows.read(), expected)).toBeLessThan(1e-5 * largest(expected))
      const { peft_version: _version, ...fields } = adapter.config
      expect(config).toEqual(fields)
      await claimLoss(adapted, data)
    })
  })
})
