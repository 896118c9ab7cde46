import { mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, describe, expect, test } from 'vitest'
import { openAdapter, writeAdapter } from '@ift/core'
import { fixture } from '../fixture/files.js'
import { readGolden, worst } from '../fixture/golden.js'
import { logitsOf, lossOf, variants, withAdapter, withLora } from '../fixture/peft.js'

const folder = mkdtempSync(join(tmpdir(), 'ift-lora-'))
afterAll(() => {
  rmSync(folder, { recursive: true })
})

/** Values [rows, cols] as [cols, rows]. */
const turned = (values: Float32Array, rows: number, cols: number) =>
  Float32Array.from(values, (_, at) => values[(at % rows) * cols + Math.floor(at / rows)]!)

// PEFT cannot load what it wrote of an embedding that it brought.
const plain = [...variants, 'tied-brought']

// PEFT writes the biases of saved-biases three times, under names that are read and not written.
describe.each([...plain, 'saved-biases', 'pissa', 'pissa-trained', 'olora', 'olora-trained'])(
  '%s, made by Hugging Face PEFT',
  (variant) => {
    const dir = fixture('peft-lora', variant)

    test('logits, loss and gradients of what is trained', async () => {
      const data = await readGolden(join(dir, 'golden.safetensors'))
      await withAdapter(dir, async (adapted) => {
        const { peft } = adapted
        expect(worst(await logitsOf(adapted, data), data.floats.get('logits')!)).toBeLessThan(1e-4)
        expect(await lossOf(adapted, data)).toBeCloseTo(data.floats.get('loss')![0]!, 5)
        const names = [...data.floats.keys()].filter((name) => name.startsWith('grad.'))
        const trainable = new Map(
          [...peft.trainable()].map(({ name, parameter }) => [`grad.${name}`, parameter]),
        )
        expect([...trainable.keys()].sort()).toEqual(names.sort())
        for (const [name, parameter] of trainable) {
          const expected = data.floats.get(name)!
          const scale = Math.max(...expected.map(Math.abs), 1e-6)
          const found = await parameter.grad!.read()
          const [rows, cols] = parameter.shape as [number, number]
          const inFile = name.endsWith('lora_embedding_A') ? turned(found, rows, cols) : found
          expect(worst(inFile, expected) / scale, name).toBeLessThan(1e-4)
          parameter.zeroGrad()
        }
      })
    })
  },
)

describe.each(plain)('%s', (variant) => {
  const dir = fixture('peft-lora', variant)

  test('written again it is the same file under the same config, and merging keeps the logits', async () => {
    const data = await readGolden(join(dir, 'golden.safetensors'))
    await withAdapter(dir, async (adapted, before) => {
      const { peft } = adapted
      const out = join(mkdtempSync(join(folder, 'saved-')), 'adapter')
      await writeAdapter(out, await peft.save())
      const bytes = (at: string) => readFileSync(join(at, 'adapter_model.safetensors'))
      expect(bytes(out).equals(bytes(dir))).toBe(true)
      const after = await openAdapter(out)
      for (const [key, value] of Object.entries(after.config)) expect(value, key).toEqual(before.config[key])
      await peft.merge!()
      expect(worst(await logitsOf(adapted, data), data.floats.get('logits')!)).toBeLessThan(1e-4)
    })
  })
})

test('the merged weights are those of merge_and_unload', async () => {
  const { floats } = await readGolden(fixture('peft-lora', 'merged', 'golden.safetensors'))
  await withAdapter(fixture('peft-lora', 'lora'), async ({ model, peft }) => {
    await peft.merge!()
    const weights = new Map(model.namedParameters())
    const names = [...floats.keys()].filter((name) => name.startsWith('merged.'))
    expect(names.length).toBeGreaterThan(0)
    for (const name of names)
      expect(
        worst(await weights.get(name.slice('merged.'.length))!.value.read(), floats.get(name)!),
      ).toBeLessThan(1e-6)
  })
})

test('an adapter of PEFT before 0.7, whose biases have the names of the base, loads', async () => {
  const dir = fixture('peft-lora', 'bias-lora-only')
  const older = (name: string) => name.replace('.base_layer.bias', '.bias')
  await withAdapter(dir, async ({ peft }, adapter) => {
    const names = new Map([...adapter.names()].map((name) => [older(name), name]))
    expect([...names].some(([now, before]) => now !== before)).toBe(true)
    await peft.load({
      config: adapter.config,
      path: adapter.path,
      names: () => names.keys(),
      shape: (name) => adapter.shape(names.get(name)!),
      read: (name) => adapter.read(names.get(name)!),
    })
    for (const { name, parameter } of peft.trainable())
      expect(worst(await parameter.master.read(), await adapter.read(name)), name).toBe(0)
  })
})

describe('the head and the embedding', () => {
  test.each([false, true])('a head adapted in bf16, DoRA %s', async (dora) => {
    const data = await readGolden(fixture('llama-tiny', 'golden.safetensors'))
    const options = { targetModules: ['lm_head', 'q_proj'], dora, r: 4 }
    const losses: number[] = []
    for (const dtype of ['f32', 'bf16'] as const)
      await withLora(
        'llama-tiny',
        options,
        async (adapted) => {
          losses.push(await lossOf(adapted, data))
          for (const { name, parameter } of adapted.peft.trainable()) {
            expect(parameter.grad, name).not.toBeNull()
            parameter.zeroGrad()
          }
        },
        { dtype },
      )
    expect(losses[0]).toBeCloseTo(data.floats.get('loss')![0]!, 4)
    expect(Math.abs(losses[1]! - losses[0]!)).toBeLessThan(0.01 * losses[0]!)
  })

  test('an embedding that is also the head is adapted and merged, and the head stays as it was', async () => {
    const data = await readGolden(fixture('llama-variants', 'tied-bias', 'golden.safetensors'))
    await withLora('llama-variants/tied-bias', { targetModules: ['embed_tokens'] }, async (adapted) => {
      const { peft, backend } = adapted
      expect(worst(await logitsOf(adapted, data), data.floats.get('logits')!)).toBeLessThan(1e-4)
      const table = [...peft.trainable()].find(({ name }) => name.endsWith('lora_embedding_A'))!
      backend.fill(table.parameter.master.buf, 0.1, table.parameter.master.size, 'f32')
      const changed = await logitsOf(adapted, data)
      expect(worst(changed, data.floats.get('logits')!)).toBeGreaterThan(0.01)
      await peft.merge!()
      expect(worst(await logitsOf(adapted, data), changed)).toBeLessThan(1e-4)
    })
  })

  test.each([
    [
      { targetModules: ['lm_head'], ensureWeightTying: true },
      'llama-variants/tied-bias',
      /one update for both, which is not supported/,
    ],
    [
      { targetModules: ['embed_tokens'], loraBias: true },
      'llama-tiny',
      /peft\.loraBias true is for linear layers/,
    ],
    [{ loraBias: true, dora: true }, 'llama-tiny', /peft\.loraBias true cannot be combined/],
    [{ modulesToSave: ['nrom'] }, 'llama-tiny', /names "nrom", which no module of this model ends with/],
    [
      { targetModules: ['o_proj'], modulesToSave: ['lf_attn'] },
      'llama-tiny',
      /trains "model\.layers\.0\.self_attn" whole/,
    ],
    [{ targetModules: '(((' }, 'llama-tiny', /peft\.targetModules: "\(\(\(" is not a regular expression/],
    [{ rankPattern: { '(((': 2 } }, 'llama-tiny', /peft\.rankPattern: "\(\(\(" is not a regular expression/],
    [{ targetModules: '(.*)*(.*)*(.*)*x' }, 'llama-tiny', /peft\.targetModules matched nothing/],
    [{ targetModules: ['embed_tokens'], dora: true }, 'llama-tiny', /peft\.dora true is for linear layers/],
    [{ targetModules: ['embed_tokens'], init: 'pissa' as const }, 'llama-tiny', /pissa is for linear layers/],
    [{ targetModules: ['norm'] }, 'llama-tiny', /model\.norm, which is not a linear layer or an embedding/],
    [
      { targetModules: ['lm_head'], modulesToSave: ['lm_head'] },
      'llama-tiny',
      /matches lm_head, which excludeModules, modulesToSave/,
    ],
  ])('%o on %s is refused', async (options, base, message) => {
    await expect(withLora(base, options, () => Promise.resolve())).rejects.toThrow(message)
  })
})
