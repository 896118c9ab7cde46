import { readdirSync, readFileSync } from 'node:fs'
import { fileURLToPath } from 'node:url'
import { modelConformance } from '@ift/core/testing'
import { openCpu } from '@ift/kernels-cpu'
import { describe, expect, test } from 'vitest'
import { internlm, internlm2, parseConfig, parseConfig2 } from './index.js'

const fixture = (path: string) =>
  fileURLToPath(new URL(`../../../fixtures/internlm/${path}`, import.meta.url))
const json = (name: string) =>
  JSON.parse(readFileSync(fixture(`${name}/config.json`), 'utf8')) as Record<string, unknown>

for (const golden of readdirSync(fixture(''))) {
  const definition = golden.startsWith('internlm2') ? internlm2 : internlm
  const options = { golden: fixture(golden) }
  describe(golden, () => {
    for (const { name, run } of modelConformance(definition, options)) test(name, run)
  })
  describe(`${golden} on the CPU`, () => {
    const open = () => openCpu({ threads: 2 })
    for (const { name, run } of modelConformance(definition, { ...options, open })) test(name, run)
  })
}

describe('config.json', () => {
  const count = (model: { namedParameters(): Iterable<[string, { shape: readonly number[] }]> }) => {
    let parameters = 0
    for (const [, { shape }] of model.namedParameters()) parameters += shape.reduce((a, b) => a * b, 1)
    return parameters
  }

  test('of InternLM 7B as it is published', () => {
    const config = parseConfig({
      architectures: ['InternLMForCausalLM'],
      model_type: 'internlm',
      bias: true,
      hidden_act: 'silu',
      hidden_size: 4096,
      intermediate_size: 11008,
      max_position_embeddings: 2048,
      num_attention_heads: 32,
      num_hidden_layers: 32,
      rms_norm_eps: 1e-6,
      rotary: { base: 10000, type: 'dynamic' },
      tie_word_embeddings: false,
      vocab_size: 103168,
    })
    expect(config.rope).toEqual({ kind: 'dynamic', theta: 10000, factor: 1, maxPositions: 2048 })
    expect(count(internlm.build(config))).toBe(7_321_948_160)
  })

  test('of InternLM2 7B as it is published', () => {
    const config = parseConfig2({
      architectures: ['InternLM2ForCausalLM'],
      model_type: 'internlm2',
      bias: false,
      hidden_act: 'silu',
      hidden_size: 4096,
      intermediate_size: 14336,
      max_position_embeddings: 32768,
      num_attention_heads: 32,
      num_hidden_layers: 32,
      num_key_value_heads: 8,
      rms_norm_eps: 1e-5,
      rope_scaling: { type: 'dynamic', factor: 2 },
      rope_theta: 1000000,
      tie_word_embeddings: false,
      vocab_size: 92544,
    })
    expect(config).toMatchObject({ kvHeads: 8, headDim: 128, attentionBias: false })
    expect(count(internlm2.build(config))).toBe(7_737_708_544)
  })

  test.each([
    ['rotary', { type: 'yarn' }, /rotary\.type expected origin or dynamic, found "yarn"/],
    ['rotary', { base: -1 }, /rotary\.base expected a positive number, found -1/],
    ['rotary', 'dynamic', /rotary expected an object, found "dynamic"/],
    ['bias', 'yes', /bias expected true or false, found "yes"/],
    ['hidden_act', 'gelu', /hidden_act expected "silu", found "gelu"/],
    ['hidden_size', 18, /hidden_size expected a multiple of twice num_attention_heads \(4\), found 18/],
    ['vocab_size', undefined, /vocab_size expected a positive integer, found nothing/],
    ['tie_word_embeddings', true, /tie_word_embeddings expected false, found true/],
  ])('a wrong %s of InternLM is refused by name', (field, value, message) => {
    expect(() => parseConfig({ ...json('internlm'), [field]: value })).toThrow(message)
  })

  test.each([
    ['rope_scaling', { type: 'yarn', factor: 2 }, /rope_scaling\.type expected default, linear or dynamic/],
    ['rope_scaling', { type: 'dynamic' }, /rope_scaling\.factor expected a positive number, found nothing/],
    [
      'num_key_value_heads',
      3,
      /num_key_value_heads expected a divisor of num_attention_heads \(4\), found 3/,
    ],
    ['rms_norm_eps', 0, /rms_norm_eps expected a positive number, found 0/],
  ])('a wrong %s of InternLM2 is refused by name', (field, value, message) => {
    expect(() => parseConfig2({ ...json('internlm2'), [field]: value })).toThrow(message)
  })
})
