import { readFileSync } from 'node:fs'
import { fileURLToPath } from 'node:url'
import { loadWeights, openCheckpoint } from '@ift/core'
import { modelConformance } from '@ift/core/testing'
import { openCpu } from '@ift/kernels-cpu'
import { referenceBackend } from '@ift/tensor/reference'
import { describe, expect, test } from 'vitest'
import { baichuan, NormHead, parseConfig, plugin } from './index.js'

const fixture = (path: string) =>
  fileURLToPath(new URL(`../../../fixtures/baichuan/${path}`, import.meta.url))
const json = (name: string) =>
  JSON.parse(readFileSync(fixture(`${name}/config.json`), 'utf8')) as Record<string, unknown>

for (const golden of ['rotary', 'alibi', 'rotary-norm-head', 'alibi-norm-head']) {
  describe(golden, () => {
    for (const { name, run } of modelConformance(plugin, { golden: fixture(golden) })) test(name, run)
  })
  describe(`${golden} on the CPU`, () => {
    const open = () => openCpu({ threads: 2 })
    for (const { name, run } of modelConformance(plugin, { golden: fixture(golden), open })) test(name, run)
  })
}

test('sharded .bin files with the frequencies of old checkpoints load to the same weights', async () => {
  const backend = referenceBackend()
  const config = parseConfig(json('rotary'))
  const load = async (path: string) => {
    const model = baichuan.build(config)
    await loadWeights(model, baichuan, config, await openCheckpoint(fixture(path)), { backend, dtype: 'f32' })
    return model
  }
  const [model, other] = [await load('rotary-bin'), await load('rotary')]
  const expected = new Map(other.namedParameters())
  for (const [name, { value }] of model.namedParameters())
    expect(await value.read(), name).toEqual(await expected.get(name)!.value.read())
  model.release()
  other.release()
  expect(backend.memory().buffers).toBe(0)
  backend.close()
})

describe('config.json', () => {
  const count = (config: Record<string, unknown>) => {
    const model = baichuan.build(parseConfig(config))
    let parameters = 0
    for (const [, { shape }] of model.namedParameters()) parameters += shape.reduce((a, b) => a * b, 1)
    return { parameters, normHead: model.lmHead instanceof NormHead }
  }
  const published = { hidden_act: 'silu', model_type: 'baichuan', rms_norm_eps: 1e-6 }
  const small = {
    hidden_size: 4096,
    intermediate_size: 11008,
    num_attention_heads: 32,
    num_hidden_layers: 32,
  }
  const large = {
    hidden_size: 5120,
    intermediate_size: 13696,
    num_attention_heads: 40,
    num_hidden_layers: 40,
  }

  test('of the published models gives their parameters, positions and head', () => {
    const second7 = { ...published, ...small, max_position_embeddings: 4096, model_max_length: 4096 }
    expect(parseConfig({ ...second7, vocab_size: 125696 })).toMatchObject({
      positions: 'rotary',
      maxPositions: 4096,
    })
    expect(count({ ...second7, vocab_size: 125696 })).toEqual({ parameters: 7_505_973_248, normHead: true })
    const first13 = { ...published, ...large, model_max_length: 4096, vocab_size: 64000 }
    expect(parseConfig(first13)).toMatchObject({ positions: 'alibi', maxPositions: null })
    expect(count(first13)).toEqual({ parameters: 13_264_901_120, normHead: false })
    expect(count({ ...first13, vocab_size: 125696 }).normHead).toBe(true)
  })

  test.each([
    ['hidden_act', 'gelu', /hidden_act expected "silu", found "gelu"/],
    ['hidden_size', 18, /hidden_size expected a multiple of twice num_attention_heads \(4\), found 18/],
    ['max_position_embeddings', null, /max_position_embeddings expected a positive integer .* found nothing/],
    ['max_position_embeddings', 'long', /max_position_embeddings expected a positive integer, found "long"/],
    ['rope_scaling', { type: 'dynamic' }, /rope_scaling expected nothing, found \{"type":"dynamic"\}/],
    ['tie_word_embeddings', true, /tie_word_embeddings expected false, found true/],
    ['norm_head', 1, /norm_head expected true or false, found 1/],
    ['rms_norm_eps', 0, /rms_norm_eps expected a positive number, found 0/],
    ['vocab_size', undefined, /vocab_size expected a positive integer, found nothing/],
  ])('a wrong %s is refused by name', (field, value, message) => {
    expect(() => parseConfig({ ...json('rotary'), model_max_length: null, [field]: value })).toThrow(message)
  })
})
