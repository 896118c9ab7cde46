import { readdirSync, readFileSync } from 'node:fs'
import { fileURLToPath } from 'node:url'
import { ggufConfig, loadWeights, openCheckpoint } from '@ift/core'
import { modelConformance } from '@ift/core/testing'
import { openCpu } from '@ift/kernels-cpu'
import { referenceBackend } from '@ift/tensor/reference'
import { describe, expect, test } from 'vitest'
import { parseConfig, plugin, qwen } from './index.js'

const fixture = (path: string) => fileURLToPath(new URL(`../../../fixtures/qwen/${path}`, import.meta.url))
const json = (name: string) =>
  JSON.parse(readFileSync(fixture(`${name}/config.json`), 'utf8')) as Record<string, unknown>

for (const golden of readdirSync(fixture(''))) {
  describe(golden, () => {
    for (const { name, run } of modelConformance(plugin, { golden: fixture(golden) })) test(name, run)
  })
  describe(`${golden} on the CPU`, () => {
    const open = () => openCpu({ threads: 2 })
    for (const { name, run } of modelConformance(plugin, { golden: fixture(golden), open })) test(name, run)
  })
}

describe.each(['qwen2', 'qwen3'])('GGUF of %s', (name) => {
  const path = (file: string) =>
    fileURLToPath(new URL(`../../../fixtures/checkpoint/gguf-${name}/${file}`, import.meta.url))

  test('metadata give the config, tensors the weights of the checkpoint', async () => {
    const source = await openCheckpoint(path('tiny.gguf'))
    const expected = JSON.parse(readFileSync(path('config.json'), 'utf8')) as Record<string, unknown>
    const json = await ggufConfig(source, qwen.gguf!)
    expect(json['architectures']).toEqual(expected['architectures'])
    const config = parseConfig(json)
    const { eps, ...wanted } = parseConfig(expected)
    // GGUF keeps it as f32.
    expect(config).toEqual({ ...wanted, eps: Math.fround(eps) })
    const backend = referenceBackend()
    const model = qwen.build(config)
    await loadWeights(model, qwen, config, source, { backend, dtype: 'f32' })
    const reference = await openCheckpoint(path('model.safetensors'))
    for (const [at, { value }] of model.namedParameters())
      expect(await value.read(), at).toEqual(await reference.read(at))
    model.release()
    expect(backend.memory().buffers).toBe(0)
  })
})

describe('config.json', () => {
  const shape = (more: Record<string, unknown>) => qwen.shape(parseConfig(more))
  const small = { num_hidden_layers: 24, max_position_embeddings: 32768, sliding_window: 4096 }

  test('of Qwen2.5-0.5B and Qwen3-0.6B gives their parameters', () => {
    const count = (config: Record<string, unknown>) => {
      let parameters = 0
      for (const [, { shape }] of qwen.build(parseConfig(config)).namedParameters())
        parameters += shape.reduce((a, b) => a * b, 1)
      return parameters
    }
    const tied = { hidden_act: 'silu', tie_word_embeddings: true, vocab_size: 151936 }
    expect(
      count({
        ...tied,
        model_type: 'qwen2',
        hidden_size: 896,
        intermediate_size: 4864,
        num_hidden_layers: 24,
        num_attention_heads: 14,
        num_key_value_heads: 2,
      }),
    ).toBe(494_032_768)
    expect(
      count({
        ...tied,
        model_type: 'qwen3',
        hidden_size: 1024,
        intermediate_size: 3072,
        num_hidden_layers: 28,
        num_attention_heads: 16,
        num_key_value_heads: 8,
        head_dim: 128,
      }),
    ).toBe(596_049_920)
  })

  test('a sliding window bounds the length only where it is in use', () => {
    const base = { ...json('qwen2'), ...small }
    expect(shape({ ...base, use_sliding_window: false }).maxPositions).toBe(32768)
    // max_window_layers layers attend to everything: with all of them there is no window.
    expect(shape({ ...base, use_sliding_window: true, max_window_layers: 24 }).maxPositions).toBe(32768)
    expect(shape({ ...base, use_sliding_window: true, max_window_layers: 20 }).maxPositions).toBe(4096)
    // layer_types, which transformers 5 writes, wins over the number of layers.
    const types = (last: string) => [...Array.from({ length: 23 }, () => 'full_attention'), last]
    const windowed = { ...base, use_sliding_window: true, max_window_layers: 20 }
    expect(shape({ ...windowed, layer_types: types('full_attention') }).maxPositions).toBe(32768)
    expect(
      shape({ ...windowed, max_window_layers: 24, layer_types: types('sliding_attention') }).maxPositions,
    ).toBe(4096)
  })

  test.each([
    ['rope_scaling', { type: 'su', factor: 4 }, /rope_scaling\.type expected default, .*, found "su"/],
    ['hidden_act', 'gelu', /hidden_act expected "silu", found "gelu"/],
    [
      'num_key_value_heads',
      3,
      /num_key_value_heads expected a divisor of num_attention_heads \(4\), found 3/,
    ],
    ['hidden_size', 18, /hidden_size expected a multiple of twice num_attention_heads \(4\)/],
    ['vocab_size', undefined, /vocab_size expected a positive integer, found nothing/],
    ['rms_norm_eps', 0, /rms_norm_eps expected a positive number, found 0/],
    ['tie_word_embeddings', 1, /tie_word_embeddings expected true or false, found 1/],
    ['head_dim', 7, /head_dim expected an even number, found 7/],
    ['layer_types', ['full_attention'], /layer_types expected a list of 2, one for each layer/],
    [
      'layer_types',
      ['full_attention', 'linear_attention'],
      /layer_types\[1\] expected "full_attention" or "sliding_attention", found "linear_attention"/,
    ],
  ])('a wrong %s is refused by name', (field, value, message) => {
    const config = { ...json('qwen2'), [field]: value }
    expect(() => parseConfig(config)).toThrow(message)
  })
})
