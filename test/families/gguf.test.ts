import {
  ggufConfig,
  GgufNames,
  loadWeights,
  openCheckpoint,
  toGgufValues,
  type ModelDefinition,
  type WeightSource,
} from '@ift/core'
import { logitsOf, packedInput } from '@ift/core/testing'
import type { CausalLM } from '@ift/tensor'
import { referenceBackend } from '@ift/tensor/reference'
import { describe, expect, test } from 'vitest'
import { fixture, readJson } from '../fixture/files.js'
import { allDefinitions } from '../fixture/models.js'

// Each architecture of llama.cpp that a family reads: scripts/reference/make_gguf_families.py.
const files: readonly (readonly [file: string, twin: string, architecture: string])[] = [
  ['llama', 'llama-variants/head-dim', 'llama'],
  ['llama-bias', 'llama-variants/tied-bias', 'llama'],
  ['llama3', 'llama-variants/rope-llama3', 'llama'],
  ['llama-linear', 'llama-variants/rope-linear', 'llama'],
  ['llama-yarn', 'llama-variants/rope-yarn', 'llama'],
  ['baichuan', 'baichuan/rotary', 'baichuan'],
  ['baichuan-alibi', 'baichuan/alibi', 'baichuan'],
  ['bloom', 'bloom/heads-6', 'bloom'],
  ['chatglm', 'chatglm/chatglm2', 'chatglm'],
  ['chatglm-long', 'chatglm/chatglm3-long', 'chatglm'],
  ['glm', 'chatglm/glm', 'chatglm'],
  ['glm4', 'chatglm/glm4', 'glm4'],
  ['gemma', 'gemma/gemma', 'gemma'],
  ['gemma3', 'checkpoint/gguf-families/gemma3', 'gemma3'],
  ['internlm', 'internlm/internlm', 'llama'],
  ['internlm2', 'internlm/internlm2', 'internlm2'],
  ['internlm2-mixed', 'checkpoint/gguf-families/internlm2-mixed', 'internlm2'],
  ['phi3', 'phi/plain', 'phi3'],
  ['phi3-grouped', 'phi/grouped', 'phi3'],
  ['phi3-long', 'phi/long', 'phi3'],
]

const definitions = await allDefinitions()
const backend = referenceBackend()
const sequences = [
  [3, 14, 15, 9, 26, 5, 35, 8, 9, 7, 9, 32, 38, 46, 26, 4, 33, 8, 32, 7],
  [27, 18, 28],
]

async function load(
  json: Record<string, unknown>,
  source: WeightSource,
): Promise<{ model: CausalLM; definition: ModelDefinition; logits: Float32Array }> {
  const [architecture] = json['architectures'] as string[]
  const definition = definitions.find(({ architectures }) => architectures.includes(architecture!))!
  const config: unknown = definition.parseConfig(json)
  const model = definition.build(config)
  await loadWeights(model, definition, config, source, { backend, dtype: 'f32' })
  const logits = await logitsOf(model, () => packedInput(backend, model, sequences))
  return { model, definition, logits }
}

test('every architecture that a family reads has a file here', () => {
  const read = new Set(definitions.flatMap(({ gguf }) => gguf?.architectures ?? []))
  const here = new Set([...files.map(([, , architecture]) => architecture), 'qwen2', 'qwen3'])
  expect([...read].sort()).toEqual([...here].sort())
})

describe.each(files)('%s', (file, twin, architecture) => {
  const open = () => openCheckpoint(fixture('checkpoint/gguf-families', `${file}.gguf`))
  const mappingOf = () => definitions.find(({ gguf }) => gguf?.architectures.includes(architecture))!.gguf!

  test('logits are those of the safetensors twin', async () => {
    const source = await open()
    const found = await load(await ggufConfig(source, mappingOf()), source)
    const json = readJson(fixture(twin, 'config.json')) as Record<string, unknown>
    const expected = await load(json, await openCheckpoint(fixture(twin)))
    // The first InternLM is a LLaMA with biases to llama.cpp.
    expect(found.definition.name).toBe(file === 'internlm' ? 'llama' : expected.definition.name)
    const weights = new Map(expected.model.namedParameters())
    expect([...found.model.namedParameters()].map(([path]) => path)).toEqual([...weights.keys()])
    for (const [path, { value }] of found.model.namedParameters()) {
      const [a, b] = [await value.read(), await weights.get(path)!.value.read()]
      // Adding 1 rounds what is added to.
      const most = architecture.startsWith('gemma') && path.includes('norm') ? 2 ** -23 : 0
      for (const [i, one] of a.entries()) expect(Math.abs(one - b[i]!), path).toBeLessThanOrEqual(most)
    }
    // The config has f32 numbers: eps, theta, factors.
    const largest = expected.logits.reduce((most, one) => Math.max(most, Math.abs(one)), 0)
    for (const [i, one] of found.logits.entries())
      expect(Math.abs(one - expected.logits[i]!)).toBeLessThanOrEqual(2e-5 * largest)
    found.model.release()
    expected.model.release()
  })

  test('what is read can be written: names and rows both ways', async () => {
    const source = await open()
    const mapping = mappingOf()
    const config = await ggufConfig(source, mapping)
    const names = new GgufNames(mapping.modules(config))
    const { model } = await load(config, source)
    const written = new Set<string>()
    for (const [path, { value, shape }] of model.namedParameters()) {
      const place = names.namesOf(path)!
      const parts = toGgufValues(place.module, await value.read(), shape[0]!)
      for (const [part, name] of place.names.entries()) {
        expect(names.placeOf(name)).toEqual({ path, module: place.module, part })
        const stored = await source.read(name)
        const most = place.module.added === undefined ? 0 : 2 ** -23
        for (const [i, one] of parts[part]!.entries())
          expect(Math.abs(one - stored[i]!), name).toBeLessThanOrEqual(most)
        written.add(name)
      }
    }
    const tables = new Set(mapping.tables)
    expect([...written].sort()).toEqual([...source.names()].filter((name) => !tables.has(name)).sort())
    model.release()
    expect(backend.memory().buffers).toBe(0)
  })
})
