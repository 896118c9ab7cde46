import { cpSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, describe, expect, test } from 'vitest'
import { openAdapter, type PeftMethod } from '@ift/core'
import { llama } from '@ift/model-llama'
import { bottleneck, houlsby, parallel, pfeiffer } from '@ift/peft-adapters'
import { quantizeLinears } from '@ift/tensor'
import { fixture, readObject } from '../fixture/files.js'
import { readGolden, worst } from '../fixture/golden.js'
import { withAdapterOf, withMethod } from '../fixture/method.js'
import { logitsOf, lossOf, type Adapted } from '../fixture/peft.js'

const data = await readGolden(fixture('llama-tiny', 'golden.safetensors'))
const methods: readonly PeftMethod[] = [houlsby, pfeiffer, parallel, bottleneck]
const root = mkdtempSync(join(tmpdir(), 'ift-adapter-options-'))
afterAll(() => {
  rmSync(root, { recursive: true })
})

const on = (
  method: PeftMethod,
  options: object,
  use: (adapted: Adapted) => Promise<void>,
  settings?: Parameters<typeof withMethod>[5],
) => withMethod(method, llama, 'llama-tiny', options, use, settings)

const settings = readObject(fixture('peft-adapters/houlsby/adapter_config.json')) as {
  config: Record<string, unknown>
}

let copies = 0
/** The settings of AdapterHub's adapter with other fields, as a method sees them. */
async function read(change: object): Promise<Readonly<Record<string, unknown>>> {
  const folder = join(root, String(copies++))
  cpSync(fixture('peft-adapters/houlsby'), folder, { recursive: true })
  writeFileSync(join(folder, 'adapter_config.json'), JSON.stringify({ ...settings, ...change }))
  return (await openAdapter(folder)).config
}

test.each([
  ['houlsby', houlsby],
  ['pfeiffer', pfeiffer],
  ['parallel', parallel],
])("the defaults of %s are AdapterHub's under this name", async (name, method) => {
  expect(method.fromAdapterConfig(await read({ config: name }))).toEqual(method.options.parse({}))
})

describe('fields of AdapterHub', () => {
  test.each<[string, unknown, string]>([
    ['use_gating', true, 'use_gating to true: a gate that is the mean over a sequence'],
    ['phm_layer', true, 'phm_layer to true: hypercomplex layers'],
    ['stochastic_depth', 0.1, 'stochastic_depth to 0.1: stochastic depth'],
    ['residual_before_ln', 'post_add', 'residual_before_ln'],
    ['non_linearity', 'mish', 'non_linearity'],
    ['init_weights', 'xavier', 'init_weights'],
    ['something_new', 3, 'something_new to 3, which houlsby does not know'],
  ])('%s: %j is refused by name', async (field, value, message) => {
    const config = await read({ config: { ...settings.config, [field]: value } })
    expect(() => houlsby.fromAdapterConfig(config)).toThrow(
      expect.objectContaining({
        code: 'IFT_ADAPTER_CONFIG',
        message: expect.stringContaining(message) as string,
      }),
    )
  })

  test('an invertible adapter is refused where the file holds it', () => {
    const config = { peft_type: 'SEQ_BN', inv_adapter: 'nice' }
    expect(() => pfeiffer.fromAdapterConfig(config)).toThrow(/inv_adapter to "nice": an invertible adapter/)
  })
})

test.each<[string, PeftMethod, object, RegExp]>([
  ['no place', parallel, { outputAdapter: false }, /mhAdapter and peft\.outputAdapter/],
  ['no layer', houlsby, { leaveOut: [0, 1, 2] }, /leaveOut names all 3 layers/],
  ['a layer beyond', pfeiffer, { leaveOut: [3] }, /leaveOut expected indices of layers from 0 to 2, found 3/],
  [
    'a layer without a width',
    houlsby,
    { reductionFactor: { '0': 4 } },
    /reductionFactor expected a number for layer 1/,
  ],
  [
    'a layer around which there is no place',
    bottleneck,
    { targetModules: ['o_proj'] },
    /expects gate_proj, up_proj, down_proj/,
  ],
])('%s', async (_, method, options, message) => {
  await expect(on(method, options, () => Promise.resolve())).rejects.toThrow(message)
})

test.each<[PeftMethod, object]>([
  [houlsby, { originalLnBefore: 'yes' }],
  [parallel, { originalLnBefore: true }],
  [pfeiffer, { r: 8 }],
  [bottleneck, { scaling: 'channel' }],
  [bottleneck, { bias: 'lora_only' }],
])('options of another kind are refused: %#', (method, options) => {
  expect(method.options.safeParse(options).success).toBe(false)
})

test('an adapter of another size, of another family and of another kind', async () => {
  const adapter = await openAdapter(fixture('peft-adapters/houlsby'))
  const load = (method: PeftMethod, options: object) =>
    on(method, options, ({ peft }) => peft.load(adapter), { adapter })
  await expect(load(houlsby, { reductionFactor: 4 })).rejects.toMatchObject({
    code: 'IFT_ADAPTER_SHAPE',
    message: expect.stringMatching(
      /tensor "model\.layers\.0\.attention_adapters\.adapters\.task\.adapter_down\.0\.weight" should be \[12, 48\], found \[3, 48\]/,
    ) as string,
  })
  await expect(load(pfeiffer, {})).rejects.toMatchObject({ code: 'IFT_ADAPTER_UNEXPECTED' })
  await expect(load(houlsby, { scaling: 'learned' })).rejects.toMatchObject({
    code: 'IFT_ADAPTER_MISSING',
    message: expect.stringContaining('adapters.task.scaling" is missing') as string,
  })
  const other = await openAdapter(fixture('peft-adapters/gpt2/houlsby'))
  await expect(on(houlsby, {}, ({ peft }) => peft.load(other), { adapter: other })).rejects.toMatchObject({
    code: 'IFT_ADAPTER_UNEXPECTED',
  })
})

test('names of a model that was saved without its head', async () => {
  const expected = (await readGolden(fixture('peft-adapters/norms/golden.safetensors'))).floats.get('logits')!
  await withAdapterOf(methods, fixture('peft-adapters/norms'), async (adapted, adapter) => {
    const { peft } = adapted
    for (const { parameter } of peft.trainable()) {
      parameter.master.backend.fill(parameter.master.buf, 0.5, parameter.master.size, 'f32')
      parameter.roundFromMaster()
    }
    const whole = (name: string) => `model.${name}`
    await peft.load({
      config: adapter.config,
      path: adapter.path,
      names: () => [...adapter.names()].map((name) => name.slice('model.'.length)),
      shape: (name) => adapter.shape(whole(name)),
      read: (name) => adapter.read(whole(name)),
    })
    const found = await logitsOf(adapted, await readGolden(fixture('peft-adapters/norms/golden.safetensors')))
    expect(worst(found, expected)).toBeLessThan(1e-3)
  })
})

describe('starts', () => {
  const deviation = (values: Float32Array) =>
    Math.sqrt(values.reduce((sum, value) => sum + value ** 2, 0) / values.length)

  test.each<[PeftMethod, object, number]>([
    [houlsby, { reductionFactor: 1 }, 0.02],
    [houlsby, { reductionFactor: 1, initWeights: 'houlsby' }, 0.0088],
    [bottleneck, {}, 0.02],
  ])('random: %#', async (method, options, expected) => {
    await on(method, options, async ({ peft }) => {
      const files = await peft.save()
      for (const [name, tensor] of files.tensors) {
        const values = await tensor.read()
        if (name.endsWith('.bias')) expect(deviation(values), name).toBe(0)
        else expect(Math.abs(deviation(values) / expected - 1), name).toBeLessThan(0.15)
      }
      const all = await Promise.all(
        [...files.tensors.values()].map(async (tensor) => [...(await tensor.read())].join()),
      )
      const drawn = all.filter((text) => /[1-9]/.test(text))
      expect(new Set(drawn).size).toBe(drawn.length)
    })
  })

  test.each<[string, PeftMethod, object]>([
    ['parallel', parallel, {}],
    ['houlsby', houlsby, { initWeights: 'mam_adapter' }],
    ['bottleneck', bottleneck, { initWeights: 'mam_adapter' }],
  ])('%s begins as the base', async (_, method, options) => {
    await on(method, options, async (adapted) => {
      expect(worst(await logitsOf(adapted, data), data.floats.get('logits')!)).toBeLessThan(1e-4)
    })
  })
})

test.each<[PeftMethod, object]>([
  [houlsby, { dropout: 0.5 }],
  [pfeiffer, { dropout: 0.5, scaling: 'channel' }],
  [parallel, { dropout: 0.5, lnAfter: true }],
  [bottleneck, { dropout: 0.5, useParallelAdapter: true }],
])('dropout acts while training alone: %#', async (method, options) => {
  await on(method, options, async (adapted) => {
    const { peft } = adapted
    expect(peft.stochastic).toBe(true)
    for (const { parameter } of peft.trainable()) {
      const { master } = parameter
      master.backend.write(
        master.buf,
        (await master.read()).map((value, i) => value + Math.sin(i)),
      )
      parameter.roundFromMaster()
    }
    const drop = async () => {
      const loss = await lossOf(adapted, data)
      for (const { parameter } of peft.trainable()) parameter.zeroGrad()
      return loss
    }
    const dropped = await drop()
    expect(await drop()).toBe(dropped)
    peft.setTraining(false)
    const logits = await logitsOf(adapted, data)
    expect(await logitsOf(adapted, data)).toEqual(logits)
    const without = { ...options, dropout: 0 }
    await on(method, without, async (plain) => {
      const files = await peft.save()
      const names = new Map([...plain.peft.trainable()].map(({ name, parameter }) => [name, parameter]))
      for (const [name, tensor] of files.tensors) {
        const parameter = names.get(name)
        if (!parameter) continue
        parameter.master.backend.write(parameter.master.buf, await tensor.read())
        parameter.roundFromMaster()
      }
      expect(plain.peft.stochastic).toBe(false)
      expect(worst(await logitsOf(plain, data), logits)).toBeLessThan(1e-5)
      expect(Math.abs((await lossOf(plain, data)) - dropped)).toBeGreaterThan(1e-3)
      for (const { parameter } of plain.peft.trainable()) parameter.zeroGrad()
    })
  })
})

test.each([
  ['bf16', 'none'],
  ['f32', 'nf4'],
  ['f32', 'int8'],
  ['bf16', 'nf4'],
] as const)('over a base in %s, quantize %s', async (dtype, quantize) => {
  for (const [method, options] of [
    [houlsby, { scaling: 'learned', lnAfter: true }],
    [pfeiffer, {}],
    [parallel, {}],
    [bottleneck, {}],
    [bottleneck, { useParallelAdapter: true, scaling: 'learned' }],
  ] as const)
    await on(
      method,
      options,
      async (adapted) => {
        const before = await lossOf(adapted, data)
        for (const { name, parameter } of adapted.peft.trainable()) {
          const gradient = await parameter.grad!.read()
          expect(gradient.every(Number.isFinite), name).toBe(true)
          const values = await parameter.master.read()
          const step = 0.02 / Math.max(1e-6, Math.sqrt(gradient.reduce((sum, g) => sum + g * g, 0)))
          parameter.master.backend.write(
            parameter.master.buf,
            values.map((value, i) => value - step * gradient[i]!),
          )
          parameter.roundFromMaster()
          parameter.zeroGrad()
        }
        expect(await lossOf(adapted, data)).toBeLessThan(before)
        for (const { parameter } of adapted.peft.trainable()) parameter.zeroGrad()
      },
      {
        dtype,
        ...(quantize !== 'none' && {
          prepare: (model: Adapted['model']) => {
            quantizeLinears(model, quantize, [model.lmHead])
          },
        }),
      },
    )
})
