import { mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, describe, expect, test } from 'vitest'
import { openAdapter, writeAdapter, type AdapterSource, type ModelDefinition } from '@ift/core'
import { bloom } from '@ift/model-bloom'
import { llama } from '@ift/model-llama'
import { adalora, SvdLinear, type AdaloraOptions } from '@ift/peft-adalora'
import { backward, noGrad, ops, scope, type FloatDType } from '@ift/tensor'
import { fixture, readObject } from '../fixture/files.js'
import { readGolden, worst } from '../fixture/golden.js'
import { withTiny } from '../fixture/models.js'
import { logitsOf, lossOf, type Adapted } from '../fixture/peft.js'

const dir = mkdtempSync(join(tmpdir(), 'ift-adalora-'))
const variants = ['llama', 'biases', 'bloom', 'ignored', 'pruned', 'train-60/final'] as const
const folder = (variant: string) => fixture('peft-adalora', variant)

afterAll(() => {
  rmSync(dir, { recursive: true })
})

/** A tiny model with AdaLoRA on it. */
const withAdalora = (
  base: string,
  options: AdaloraOptions,
  use: (adapted: Adapted) => Promise<void>,
  { adapter, dtype = 'f32' }: { readonly adapter?: AdapterSource; readonly dtype?: FloatDType } = {},
): Promise<void> => {
  const definition: ModelDefinition = base.startsWith('bloom') ? bloom : llama
  return withTiny(
    definition,
    base,
    async ({ model, backend, shape, roles }) => {
      const context = { definition, shape, roles, backend, dtype, seed: 1, baseModel: base, adapter }
      const peft = await adalora.attach(model, options, context)
      try {
        await use({ model, peft, backend })
      } finally {
        peft.release()
      }
    },
    { dtype },
  )
}

/** The base of an adapter with the adapter on it. */
async function withAdapter(
  at: string,
  use: (adapted: Adapted, adapter: AdapterSource) => Promise<void>,
  dtype: FloatDType = 'f32',
): Promise<void> {
  const adapter = await openAdapter(at)
  await withAdalora(
    String(adapter.config['base_model_name_or_path']),
    adalora.fromAdapterConfig(adapter.config),
    async (adapted) => {
      await adapted.peft.load(adapter)
      await use(adapted, adapter)
    },
    { adapter, dtype },
  )
}

const largest = (values: Float32Array) => values.reduce((most, value) => Math.max(most, Math.abs(value)), 0)

describe.each(['llama', 'biases', 'bloom', 'ignored', 'pruned'])(
  '%s, made by Hugging Face PEFT',
  (variant) => {
    const golden = () => readGolden(join(folder(variant), 'golden.safetensors'))

    test('logits, loss and gradients', async () => {
      const data = await golden()
      await withAdapter(folder(variant), async (adapted) => {
        const expected = data.floats.get('logits')!
        expect(worst(await logitsOf(adapted, data), expected) / largest(expected)).toBeLessThan(1e-5)
        expect(await lossOf(adapted, data)).toBeCloseTo(data.floats.get('loss')![0]!, 5)
        const names = [...data.floats.keys()].filter((name) => name.startsWith('grad.'))
        const trainable = new Map(
          [...adapted.peft.trainable()].map(({ name, parameter }) => [`grad.${name}`, parameter]),
        )
        expect([...trainable.keys()].sort()).toEqual(names.sort())
        const most = Math.max(...names.map((name) => largest(data.floats.get(name)!)))
        for (const [name, parameter] of trainable) {
          expect(worst(await parameter.grad!.read(), data.floats.get(name)!) / most, name).toBeLessThan(1e-4)
          parameter.zeroGrad()
        }
      })
    })

    test('the penalty and its gradient', async () => {
      const { floats } = await golden()
      await withAdapter(folder(variant), async ({ peft }) => {
        const penalty = peft.penalty!()
        expect((await penalty.read())[0]).toBeCloseTo(floats.get('penalty')![0]!, 5)
        backward(penalty)
        penalty.release()
        const names = [...floats.keys()].filter((name) => name.startsWith('penalty_grad.'))
        expect(names.length).toBeGreaterThan(0)
        const trainable = new Map([...peft.trainable()].map(({ name, parameter }) => [name, parameter]))
        for (const name of names) {
          const { grad } = trainable.get(name.replace('penalty_grad.', ''))!
          expect(worst(await grad!.read(), floats.get(name)!), name).toBeLessThan(1e-6)
        }
      })
    })

    test('merged it has the weights of merge_and_unload', async () => {
      const data = await golden()
      await withAdapter(folder(variant), async (adapted) => {
        const { model, peft } = adapted
        await peft.merge!()
        const weights = new Map(model.namedParameters())
        const names = [...data.floats.keys()].filter((name) => name.startsWith('merged.'))
        expect(names).toHaveLength(2)
        for (const name of names) {
          const path = name.slice('merged.'.length)
          const { value } = weights.get(path) ?? weights.get(path.replace(/^transformer\./, ''))!
          expect(worst(await value.read(), data.floats.get(name)!)).toBeLessThan(1e-6)
        }
        const expected = data.floats.get('logits')!
        expect(worst(await logitsOf(adapted, data), expected) / largest(expected)).toBeLessThan(1e-5)
      })
    })

    test('in bf16 it is near', async () => {
      const data = await golden()
      await withAdapter(
        folder(variant),
        async (adapted) => {
          const expected = data.floats.get('logits')!
          expect(worst(await logitsOf(adapted, data), expected) / largest(expected)).toBeLessThan(0.1)
          // In f32 whatever the type of the model.
          const penalty = noGrad(() => adapted.peft.penalty!())
          expect((await penalty.read())[0]).toBeCloseTo(data.floats.get('penalty')![0]!, 5)
          penalty.release()
        },
        'bf16',
      )
    })
  },
)

test.each(variants)('%s, written again, is the same file under the same config', async (variant) => {
  await withAdapter(folder(variant), async ({ peft }, before) => {
    const out = join(dir, variant.replace('/', '-'))
    await writeAdapter(out, await peft.save())
    const bytes = (at: string) => readFileSync(join(at, 'adapter_model.safetensors'))
    expect(bytes(out).equals(bytes(folder(variant)))).toBe(true)
    const after = await openAdapter(out)
    for (const [key, value] of Object.entries(after.config)) expect(value, key).toEqual(before.config[key])
  })
})

test('a layer that has lost every singular value is its base, and has no parameters', async () => {
  const ranks: number[] = []
  await withAdapter(folder('pruned'), ({ model }) => {
    for (const [, module] of model.namedModules()) if (module instanceof SvdLinear) ranks.push(module.rank)
    return Promise.resolve()
  })
  expect(ranks).toEqual([7, 3, 0, 5, 1, 4])
})

describe('the gradient of the penalty', () => {
  test('is zero where the vectors are orthonormal', async () => {
    const options = adalora.options.parse({ initR: 2, targetR: 1, targetModules: ['q_proj'] })
    await withAdalora('llama-variants/plain', options, async ({ peft, backend }) => {
      for (const { name, parameter } of peft.trainable()) {
        if (name.endsWith('lora_E')) continue
        const [rows, cols] = parameter.shape as [number, number]
        const values = new Float32Array(rows * cols)
        for (let i = 0; i < 2; i++) values[i * (cols + 1)] = 1
        backend.write(parameter.master.buf, values)
      }
      const penalty = peft.penalty!()
      expect((await penalty.read())[0]).toBe(0)
      backward(penalty)
      penalty.release()
      for (const { name, parameter } of peft.trainable())
        if (!name.endsWith('lora_E')) expect(largest(await parameter.grad!.read())).toBe(0)
    })
  })

  test('scales with what it is multiplied by', async () => {
    await withAdapter(folder('llama'), async ({ peft }) => {
      const trainable = [...peft.trainable()]
      const gradient = async (factor: number) => {
        scope(() => {
          backward(ops.scale(peft.penalty!(), factor))
        })
        const values = await trainable[0]!.parameter.grad!.read()
        for (const { parameter } of trainable) parameter.zeroGrad()
        return values
      }
      const once = await gradient(1)
      const thrice = once.map((value) => 3 * value)
      expect(largest(once)).toBeGreaterThan(0.01)
      expect(worst(await gradient(3), thrice)).toBeLessThan(1e-6)
    })
  })
})

describe('what is refused', () => {
  const config = (changes: Record<string, unknown>) => ({
    ...readObject(join(folder('pruned'), 'adapter_config.json')),
    ...changes,
  })
  const load = (changes: Record<string, unknown>) => {
    const at = join(mkdtempSync(join(dir, 'bad-')), 'adapter')
    return openAdapter(folder('pruned')).then((adapter) => {
      const changed = { ...adapter, config: config(changes), path: at, names: () => adapter.names() }
      const source: AdapterSource = {
        ...changed,
        shape: (name) => adapter.shape(name),
        read: (name) => adapter.read(name),
      }
      return withAdalora(
        'llama-variants/head-dim',
        adalora.fromAdapterConfig(source.config),
        ({ peft }) => peft.load(source),
        { adapter: source },
      )
    })
  }
  const patternOf = (change: (pattern: Record<string, unknown>) => Record<string, unknown>) => ({
    rank_pattern: change(config({})['rank_pattern'] as Record<string, unknown>),
  })
  const first = 'model.layers.0.self_attn.q_proj.lora_E'

  test.each<[string, Record<string, unknown>, string, RegExp]>([
    [
      'initR = targetR',
      { initR: 8 },
      'IFT_PEFT_OPTIONS',
      /peft\.targetR should be below peft\.initR, 8.*found 8/,
    ],
    [
      'initR < targetR',
      { initR: 4 },
      'IFT_PEFT_OPTIONS',
      /peft\.targetR should be below peft\.initR, 4.*found 8/,
    ],
    ['an embedding', { targetModules: ['embed_tokens'] }, 'IFT_PEFT_TARGET', /embed_tokens/],
  ])('%s', async (_what, options, code, message) => {
    const attached = withAdalora('llama-tiny', adalora.options.parse(options), () => Promise.resolve())
    await expect(attached).rejects.toMatchObject({ code })
    await expect(attached).rejects.toThrow(message)
  })

  test.each([
    ['r', 8],
    ['rslora', true],
    ['alphaPattern', { q_proj: 3 }],
    ['rankPattern', { q_proj: 3 }],
    ['dora', true],
  ])('the option %s of LoRA', (name, value) => {
    const parsed = adalora.options.safeParse({ [name]: value })
    expect(parsed.error?.message).toContain(name)
  })

  test.each<[string, Record<string, unknown>, string, RegExp]>([
    ['use_dora', { use_dora: true }, 'IFT_ADAPTER_CONFIG', /use_dora/],
    ['a start of LoftQ', { loftq_config: { loftq_bits: 4 } }, 'IFT_ADAPTER_CONFIG', /loftq_config/],
    [
      'a pattern of another length',
      { init_r: 6 },
      'IFT_ADAPTER_CONFIG',
      /should have init_r, 6, values; found 7/,
    ],
    [
      'a pattern that is a list',
      { rank_pattern: [1] },
      'IFT_ADAPTER_CONFIG',
      /should be an object of lists, found \[1\]/,
    ],
    [
      'numbers for a mask',
      patternOf((p) => ({ ...p, [first]: [1, 2] })),
      'IFT_ADAPTER_CONFIG',
      /should be a list of true and false/,
    ],
    [
      'another key',
      patternOf((p) => ({ ...p, q_proj: p[first] })),
      'IFT_ADAPTER_CONFIG',
      /"q_proj", which should end in \.lora_E/,
    ],
    [
      'a layer that is not adapted',
      patternOf((p) => ({ ...p, 'model.layers.9.self_attn.q_proj.lora_E': p[first] })),
      'IFT_ADAPTER_CONFIG',
      /names "model\.layers\.9\.self_attn\.q_proj", which target_modules does not/,
    ],
    [
      'another rank than that of the tensors',
      patternOf((p) => ({ ...p, [first]: Array.from({ length: 7 }, (_, i) => i < 2) })),
      'IFT_ADAPTER_SHAPE',
      /q_proj\.lora_A" should be \[2, 16\], found \[7, 16\]/,
    ],
    [
      'no rank, where there are tensors',
      patternOf((p) => ({ ...p, [first]: Array.from({ length: 7 }, () => false) })),
      'IFT_ADAPTER_SHAPE',
      /q_proj\.lora_[ABE]" should be \[0, 16\], as rank_pattern says, found \[7, 16\]/,
    ],
  ])('an adapter with %s', async (_what, changes, code, message) => {
    const loaded = load(changes)
    await expect(loaded).rejects.toMatchObject({ code })
    await expect(loaded).rejects.toThrow(message)
  })

  test('the name of the adapter in the keys of a pattern is read over', async () => {
    await load(
      patternOf((p) => Object.fromEntries(Object.entries(p).map(([key, mask]) => [`${key}.default`, mask]))),
    )
  })
})
