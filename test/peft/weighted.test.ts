// Adapters added up with weights, beside PEFT's add_weighted_adapter (scripts/reference/make_peft_weighted.py).
import { openAdapter, type AdapterSource, type CombineOptions, type Combination } from '@ift/core'
import { combineAdapters, MemoryAdapter } from '@ift/core/peft'
import { lora } from '@ift/peft-lora'
import { expect, test } from 'vitest'
import { fixture, readJson } from '../fixture/files.js'
import { readFloats, worst } from '../fixture/golden.js'

interface Case {
  readonly combination: Combination
  readonly rank: number | null
  readonly adapters: Readonly<Record<string, number>>
  readonly config: Readonly<Record<string, unknown>>
}

const cases = Object.entries(readJson(fixture('peft-lora/weighted/cases.json')) as Record<string, Case>)

const open = (name: string) => openAdapter(fixture('peft-lora', name))

const combine = async ({ combination, rank, adapters }: Omit<Case, 'config'>) => {
  const weighted = Object.entries(adapters).map(async ([name, weight]) => ({
    name,
    weight,
    source: await open(name),
  }))
  return combineAdapters(lora, await Promise.all(weighted), { combination, rank: rank ?? undefined })
}

/** B A of every layer, [out, in]. */
async function productsOf(adapter: AdapterSource): Promise<Map<string, Float32Array>> {
  const products = new Map<string, Float32Array>()
  for (const name of adapter.names()) {
    if (!/lora_A\.weight$|lora_embedding_A$/.test(name)) continue
    const up = name.replace('_A', '_B')
    const [r, input] = adapter.shape(name) as [number, number]
    const [out] = adapter.shape(up) as [number]
    const [a, b] = [await adapter.read(name), await adapter.read(up)]
    const product = new Float32Array(out * input)
    for (let i = 0; i < out; i++)
      for (let k = 0; k < r; k++)
        for (let j = 0; j < input; j++) product[i * input + j]! += b[i * r + k]! * a[k * input + j]!
    products.set(name.replace(/lora_A\.weight$|lora_embedding_A$/, 'product'), product)
  }
  return products
}

test.each(cases)('%s is what PEFT makes', async (name, expected) => {
  const sum = await combine(expected)
  expect(sum.config).toMatchObject(expected.config)
  const golden = await readFloats(fixture('peft-lora/weighted', `${name}.safetensors`))
  const found = new Map<string, Float32Array>()
  if (expected.combination === 'svd') for (const entry of await productsOf(sum)) found.set(...entry)
  else for (const tensor of sum.names()) found.set(tensor, await sum.read(tensor))
  expect([...found.keys()].sort()).toEqual([...golden.keys()].sort())
  for (const [tensor, values] of golden) expect(worst(found.get(tensor)!, values), tensor).toBeLessThan(2e-6)
})

test('cat is the exact sum, also of adapters with scales of their own', async () => {
  const adapters = { lora: 0.5, rslora: -1.5 }
  const sum = await productsOf(await combine({ combination: 'cat', rank: null, adapters }))
  const [plain, scaled] = [await productsOf(await open('lora')), await productsOf(await open('rslora'))]
  for (const [layer, values] of sum) {
    // alpha 8, rank 4: 8 / 4 and 8 / √4.
    const expected = plain.get(layer)!.map((x, i) => 0.5 * 2 * x - 1.5 * 4 * scaled.get(layer)![i]!)
    expect(worst(values, expected)).toBeLessThan(1e-5)
  }
})

test.each([
  [{ lora: 1, patterns: 1 }, 'linear', 'IFT_ADAPTER_COMBINE', /rank 4.*6/],
  [{ lora: 1, dora: 1 }, 'cat', 'IFT_ADAPTER_COMBINE', /"dora" has DoRA/],
  [{ lora: 1, 'modules-to-save': 1 }, 'cat', 'IFT_ADAPTER_COMBINE', /"modules-to-save" has ".*trained whole/],
  [{ lora: 1, pissa: 1 }, 'svd', 'IFT_ADAPTER_COMBINE', /"pissa" started from PiSSA/],
  [{ lora: 1, olora: 1 }, 'cat', 'IFT_ADAPTER_COMBINE', /"olora" started from OLoRA/],
  [{ olora: 1 }, 'linear', 'IFT_ADAPTER_COMBINE', /"olora" started from OLoRA/],
  [{ lora: Number.NaN }, 'cat', 'IFT_ADAPTER_COMBINE', /weight of adapter "lora" is NaN/],
  [{}, 'cat', 'IFT_ADAPTER_COMBINE', /No adapters/],
] as const)('%j by %s is refused', async (adapters, combination, code, message) => {
  const made = combine({ combination, rank: null, adapters })
  await expect(made).rejects.toMatchObject({ code, message: expect.stringMatching(message) as string })
})

type Tensors = Map<string, { readonly shape: readonly number[]; readonly values: Float32Array }>

/** The adapter of a fixture with other tensors, or another config. */
async function changed(
  name: string,
  change: (tensors: Tensors) => void,
  config: Readonly<Record<string, unknown>> = {},
): Promise<AdapterSource> {
  const source = await open(name)
  const tensors: Tensors = new Map()
  for (const one of source.names())
    tensors.set(one, { shape: source.shape(one), values: await source.read(one) })
  change(tensors)
  return new MemoryAdapter('changed', { config: { ...source.config, ...config }, tensors })
}

const sumWith = async (source: AdapterSource, options: CombineOptions = { combination: 'cat' }) => {
  const adapters = [
    { name: 'lora', weight: 1, source: await open('lora') },
    { name: 'other', weight: 1, source },
  ]
  return combineAdapters(lora, adapters, options)
}

test.each([9, 1000, 2_000_000_000, Number.MAX_SAFE_INTEGER])('rank %d of a sum of 4 and 4', async (rank) => {
  const source = await open('all-linear')
  await expect(sumWith(source, { combination: 'svd', rank })).rejects.toMatchObject({
    code: 'IFT_ADAPTER_COMBINE',
    message: `The rank of the sum is expected to be at most 8, the ranks of its adapters together, found ${rank}.`,
  })
})

test('the largest rank of a sum is that of all together', async () => {
  const source = await open('all-linear')
  const whole = await productsOf(await sumWith(source, { combination: 'svd', rank: 8 }))
  const exact = await productsOf(await sumWith(source))
  expect(whole.size).toBe(exact.size)
  for (const [layer, values] of whole) expect(worst(values, exact.get(layer)!), layer).toBeLessThan(1e-5)
})

test.each(['cat', 'svd', 'linear'] as const)('%s: a rank of no layer has no effect', async (combination) => {
  const pattern = { zzz: 2_000_000_000, 'layers.99.self_attn.q_proj': 50_000 }
  const source = await changed('lora', () => undefined, { rank_pattern: pattern })
  const [sum, plain] = [
    await sumWith(source, { combination }),
    await sumWith(await open('lora'), { combination }),
  ]
  expect(sum.config).toEqual(plain.config)
  for (const name of plain.names()) expect(await sum.read(name)).toEqual(await plain.read(name))
})

const layer = 'base_model.model.model.layers.1.self_attn.q_proj'
const table = 'base_model.model.model.embed_tokens'
const floats = (...shape: number[]) => ({ shape, values: new Float32Array(shape.reduce((a, b) => a * b, 1)) })

test.each<[string, string, (tensors: Tensors) => void, string, RegExp]>([
  [
    'B without A',
    'lora',
    (all) => all.delete(`${layer}.lora_A.weight`),
    'IFT_ADAPTER_MISSING',
    /q_proj\.lora_A\.weight" is missing/,
  ],
  [
    'A without B',
    'lora',
    (all) => all.delete(`${layer}.lora_B.weight`),
    'IFT_ADAPTER_MISSING',
    /q_proj\.lora_B\.weight" is missing/,
  ],
  [
    'A of an embedding without B',
    'embedding',
    (all) => all.delete(`${table}.lora_embedding_B`),
    'IFT_ADAPTER_MISSING',
    /lora_embedding_B" is missing/,
  ],
  [
    'B of an embedding without A',
    'embedding',
    (all) => all.delete(`${table}.lora_embedding_A`),
    'IFT_ADAPTER_MISSING',
    /lora_embedding_A" is missing/,
  ],
  [
    'A with one dimension',
    'lora',
    (all) => all.set(`${layer}.lora_A.weight`, floats(192)),
    'IFT_ADAPTER_SHAPE',
    /lora_A\.weight" should be \[r, in\], found \[192\]/,
  ],
  [
    'B with three',
    'lora',
    (all) => all.set(`${layer}.lora_B.weight`, floats(48, 4, 1)),
    'IFT_ADAPTER_SHAPE',
    /should be \[out, r\], found \[48, 4, 1\]/,
  ],
  [
    'a scalar',
    'lora',
    (all) => all.set(`${layer}.lora_B.weight`, floats()),
    'IFT_ADAPTER_SHAPE',
    /found \[\]/,
  ],
  [
    'no rows',
    'lora',
    (all) => all.set(`${layer}.lora_A.weight`, floats(0, 48)),
    'IFT_ADAPTER_SHAPE',
    /found \[0, 48\]/,
  ],
  [
    'two ranks',
    'lora',
    (all) => all.set(`${layer}.lora_B.weight`, floats(48, 5)),
    'IFT_ADAPTER_COMBINE',
    /rank 4 in .* and 5 in/,
  ],
  [
    'a base of a linear layer',
    'lora',
    (all) => all.set(`${layer}.base_layer.weight`, floats(48, 48)),
    'IFT_ADAPTER_COMBINE',
    /q_proj\.base_layer\.weight", a weight of the base/,
  ],
  [
    'a base that is not adapted',
    'lora',
    (all) => all.set(`${table}.base_layer.weight`, floats(160, 48)),
    'IFT_ADAPTER_COMBINE',
    /embed_tokens\.base_layer\.weight", a weight of the base/,
  ],
  [
    'a base of another name',
    'lora',
    (all) => all.set('other.base_layer.weight', floats(1)),
    'IFT_ADAPTER_COMBINE',
    /"other\.base_layer\.weight", which is trained whole/,
  ],
  [
    'a base of another size',
    'embedding',
    (all) => all.set(`${table}.base_layer.weight`, floats(161, 48)),
    'IFT_ADAPTER_SHAPE',
    /should be \[160, 48\], found \[161, 48\]/,
  ],
  [
    'a base of a head, turned',
    'lm-head',
    (all) => all.set('base_model.model.lm_head.base_layer.weight', floats(48, 160)),
    'IFT_ADAPTER_SHAPE',
    /should be \[160, 48\], found \[48, 160\]/,
  ],
  [
    'nothing',
    'lora',
    (all) => {
      all.clear()
    },
    'IFT_ADAPTER_COMBINE',
    /has no layers/,
  ],
])('an adapter with %s is refused', async (_, name, change, code, message) => {
  const source = await changed(name, change)
  for (const combination of ['cat', 'svd', 'linear'] as const)
    await expect(sumWith(source, { combination })).rejects.toMatchObject({
      code,
      message: expect.stringMatching(message) as string,
    })
})

test('a method whose sums are none of its adapters is refused by name', async () => {
  const source = await open('lora')
  const method = { ...lora, name: 'other' }
  delete method.combine
  const made = combineAdapters(method, [{ name: 'a', weight: 1, source }], {
    combination: 'cat',
  })
  await expect(made).rejects.toMatchObject({
    code: 'IFT_ADAPTER_COMBINE',
    message: expect.stringContaining('Adapters of other (a)') as string,
  })
})
