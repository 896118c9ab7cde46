import { readdirSync, readFileSync } from 'node:fs'
import { fileURLToPath } from 'node:url'
import { modelConformance } from '@ift/core/testing'
import { openCpu } from '@ift/kernels-cpu'
import { describe, expect, test } from 'vitest'
import { gemma, gemma3, parseGemma, parseGemma3 } from './index.js'

const fixture = (path: string) => fileURLToPath(new URL(`../../../fixtures/gemma/${path}`, import.meta.url))
const json = (name: string) =>
  JSON.parse(readFileSync(fixture(`${name}/config.json`), 'utf8')) as Record<string, unknown>

for (const golden of readdirSync(fixture(''))) {
  const family = golden.startsWith('gemma3') ? gemma3 : gemma
  describe(golden, () => {
    for (const { name, run } of modelConformance(family, { golden: fixture(golden) })) test(name, run)
  })
  describe(`${golden} on the CPU`, () => {
    const open = () => openCpu({ threads: 2 })
    for (const { name, run } of modelConformance(family, { golden: fixture(golden), open })) test(name, run)
  })
}

describe('config.json', () => {
  test('of Gemma 3 1B as it is published', () => {
    const config = parseGemma3({
      architectures: ['Gemma3ForCausalLM'],
      attn_logit_softcapping: null,
      final_logit_softcapping: null,
      head_dim: 256,
      hidden_activation: 'gelu_pytorch_tanh',
      hidden_size: 1152,
      intermediate_size: 6912,
      max_position_embeddings: 32768,
      model_type: 'gemma3_text',
      num_attention_heads: 4,
      num_hidden_layers: 26,
      num_key_value_heads: 1,
      query_pre_attn_scalar: 256,
      rms_norm_eps: 1e-6,
      rope_local_base_freq: 10000,
      rope_scaling: null,
      rope_theta: 1000000,
      sliding_window: 512,
      sliding_window_pattern: 6,
      vocab_size: 262144,
    })
    expect(config.local.flatMap((local, i) => (local ? [] : [i]))).toEqual([5, 11, 17, 23])
    expect([config.rope.theta, config.localRope.theta, config.scale]).toEqual([1e6, 1e4, 1 / 16])
    expect(gemma3.shape(config).maxPositions).toBe(512)
    let parameters = 0
    for (const [, { shape }] of gemma3.build(config).namedParameters())
      parameters += shape.reduce((a, b) => a * b, 1)
    expect(parameters).toBe(999_885_952)
  })

  test('a window bounds the length only where a layer has it', () => {
    const whole = { ...json('gemma3'), sliding_window: 16, layer_types: ['full_attention', 'full_attention'] }
    expect(parseGemma3(whole).maxPositions).toBe(64)
    const first = ['sliding_attention', 'full_attention']
    expect(parseGemma3({ ...whole, layer_types: first }).maxPositions).toBe(16)
  })

  test.each<[string, unknown, RegExp]>([
    ['hidden_act', 'silu', /hidden_act expected "gelu_pytorch_tanh" or "gelu", found "silu"/],
    ['final_logit_softcapping', 30, /final_logit_softcapping expected null, found 30/],
    ['use_bidirectional_attention', true, /use_bidirectional_attention expected false, found true/],
    [
      'num_key_value_heads',
      3,
      /num_key_value_heads expected a divisor of num_attention_heads \(4\), found 3/,
    ],
    ['head_dim', 7, /head_dim expected an even number, found 7/],
    ['vocab_size', undefined, /vocab_size expected a positive integer, found nothing/],
  ])('a wrong %s is refused by name', (field, value, message) => {
    expect(() => parseGemma({ ...json('gemma'), [field]: value })).toThrow(message)
  })

  test('wrong kinds of layers are refused by place', () => {
    const types = (layer_types: unknown) => () => parseGemma3({ ...json('gemma3'), layer_types })
    expect(types(['full_attention'])).toThrow(/layer_types expected a list of 2, one for each layer/)
    expect(types(['full_attention', 'chunked'])).toThrow(/layer_types\[1\] expected .* found "chunked"/)
  })
})
