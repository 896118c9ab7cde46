import { readFileSync } from 'node:fs'
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { loadWeights, openCheckpoint, saveModel, WeightSource } from '@ift/core'
import { modelConformance, tokenizerConformance } from '@ift/core/testing'
import { openCpu } from '@ift/kernels-cpu'
import { loadTokenizer } from '@ift/tokenizers'
import { referenceBackend } from '@ift/tensor/reference'
import { describe, expect, test } from 'vitest'
import { bloom, parseConfig, plugin } from './index.js'

const fixture = (path: string) => fileURLToPath(new URL(`../../../fixtures/bloom/${path}`, import.meta.url))
const json = (name: string) =>
  JSON.parse(readFileSync(fixture(`${name}/config.json`), 'utf8')) as Record<string, unknown>

// tiny lacks the prefix, the others have it; 4 heads, 6 heads, and 3 with the residual after the norm and a head of its own.
for (const golden of ['tiny', 'heads-6', 'post-layernorm']) {
  describe(golden, () => {
    for (const { name, run } of modelConformance(plugin, { golden: fixture(golden) })) test(name, run)
  })
  describe(`${golden} on the CPU`, () => {
    const open = () => openCpu({ threads: 2 })
    for (const { name, run } of modelConformance(plugin, { golden: fixture(golden), open })) test(name, run)
  })
}

test('names of the fixtures: with the prefix and without', async () => {
  expect([...(await openCheckpoint(fixture('tiny'))).names()]).toContain(
    'h.0.self_attention.query_key_value.weight',
  )
  expect([...(await openCheckpoint(fixture('heads-6'))).names()]).toContain(
    'transformer.h.0.self_attention.query_key_value.weight',
  )
})

async function loaded(dir: string, configOf = 'heads-6') {
  const backend = referenceBackend()
  const config = parseConfig(json(configOf))
  const model = bloom.build(config)
  const source = await openCheckpoint(dir)
  const names = await loadWeights(model, bloom, config, source, { backend, dtype: 'f32' })
  return { backend, model, names }
}

test('sharded .bin files hold what model.safetensors holds', async () => {
  const [a, b] = [await loaded(fixture('heads-6')), await loaded(fixture('heads-6-bin'))]
  const other = new Map(b.model.namedParameters())
  for (const [name, { value }] of a.model.namedParameters())
    expect(await other.get(name)!.value.read(), name).toEqual(await value.read())
})

test('a saved model keeps the names of the files it came from', async () => {
  const dir = await mkdtemp(join(tmpdir(), 'ift-bloom-'))
  try {
    for (const name of ['tiny', 'heads-6']) {
      const { model, names } = await loaded(fixture(name), name)
      const target = join(dir, name)
      await saveModel(target, { model, names, configJson: json(name), dtype: 'f32', maxShardBytes: 20_000 })
      const [before, after] = [await openCheckpoint(fixture(name)), await openCheckpoint(target)]
      expect([...after.names()].sort()).toEqual([...before.names()].sort())
      for (const tensor of before.names())
        expect(await after.read(tensor), tensor).toEqual(await before.read(tensor))
    }
  } finally {
    await rm(dir, { recursive: true })
  }
})

test('a checkpoint that lacks a layer, names a parameter twice, or is of another size is refused', async () => {
  await expect(loaded(fixture('heads-6'), 'tiny')).rejects.toMatchObject({
    code: 'IFT_WEIGHTS_MISSING',
    message: expect.stringContaining('transformer.h.1.') as string,
  })
  const source = await openCheckpoint(fixture('heads-6'))
  const load = (from: WeightSource, change: Record<string, unknown> = {}) => {
    const config = parseConfig({ ...json('heads-6'), ...change })
    const backend = referenceBackend()
    return loadWeights(bloom.build(config), bloom, config, from, { backend, dtype: 'f32' })
  }
  const name = 'transformer.ln_f.weight'
  const twice = new Map([...source.tensors, ['ln_f.weight', source.tensors.get(name)!]])
  await expect(load(new WeightSource(source.path, source.format, twice))).rejects.toMatchObject({
    code: 'IFT_WEIGHTS_UNEXPECTED',
    message: expect.stringContaining(
      `tensors ${name} and ln_f.weight both are the parameter ${name}`,
    ) as string,
  })
  await expect(load(source, { vocab_size: 49 })).rejects.toMatchObject({
    code: 'IFT_WEIGHTS_SHAPE',
    message: expect.stringMatching(
      /heads-6.model\.safetensors: tensor transformer\.word_embeddings\.weight expected \[49, 24\], found \[48, 24\]/,
    ) as string,
  })
})

describe('a tokenizer.json with the pre-tokenizer of BLOOM', () => {
  type Cases = readonly { readonly text: string; readonly ids: readonly number[] }[]
  const load = () => loadTokenizer(fixture('tiny'))
  const golden = JSON.parse(readFileSync(fixture('tiny/tokenizer-golden.json'), 'utf8')) as {
    cases: Cases
    specials: Cases
  }
  for (const { name, run } of tokenizerConformance('bloom', load, { golden: golden.cases })) test(name, run)

  test('adds nothing, and knows its special tokens', async () => {
    const tokenizer = await load()
    expect(tokenizer).toMatchObject({ addBos: false, addEos: false, bosId: 1, eosId: 2 })
    for (const { text, ids } of golden.specials)
      expect([...(await tokenizer.encode(text, { specials: true })).ids], text).toEqual(ids)
  })
})
