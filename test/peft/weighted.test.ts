// Adapters added up with weights, beside PEFT's add_weighted_adapter (scripts/reference/make_peft_weighted.py).
import { openAdapter, type AdapterSource, type Combination } from '@ift/core'
import { combineAdapters } from '@ift/core/peft'
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
  [{ lora: Number.NaN }, 'cat', 'IFT_ADAPTER_COMBINE', /weight of adapter "lora" is NaN/],
  [{}, 'cat', 'IFT_ADAPTER_COMBINE', /No adapters/],
] as const)('%j by %s is refused', async (adapters, combination, code, message) => {
  const made = combine({ combination, rank: null, adapters })
  await expect(made).rejects.toMatchObject({ code, message: expect.stringMatching(message) as string })
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
