import { readdirSync, readFileSync } from 'node:fs'
import { fileURLToPath } from 'node:url'
import { modelConformance } from '@ift/core/testing'
import { openCpu } from '@ift/kernels-cpu'
import { describe, expect, test } from 'vitest'
import { parseConfig, phi, plugin } from './index.js'

const fixture = (path: string) => fileURLToPath(new URL(`../../../fixtures/phi/${path}`, import.meta.url))
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

describe('config.json', () => {
  test('of Phi-3-mini-4k gives its parameters and its window', () => {
    const config = parseConfig({
      hidden_act: 'silu',
      hidden_size: 3072,
      intermediate_size: 8192,
      max_position_embeddings: 4096,
      model_type: 'phi3',
      num_attention_heads: 32,
      num_hidden_layers: 32,
      num_key_value_heads: 32,
      original_max_position_embeddings: 4096,
      rms_norm_eps: 1e-5,
      rope_scaling: null,
      rope_theta: 10000,
      sliding_window: 2047,
      tie_word_embeddings: false,
      vocab_size: 32064,
    })
    expect(phi.shape(config).maxPositions).toBe(2047)
    let parameters = 0
    for (const [, { shape }] of phi.build(config).namedParameters())
      parameters += shape.reduce((a, b) => a * b, 1)
    expect(parameters).toBe(3_821_079_552)
  })

  test.each(['longrope', 'su', 'yarn'])('LongRoPE under the name of %s', (type) => {
    const config = json('long')
    const scaling = config['rope_scaling'] as object
    expect(parseConfig({ ...config, rope_scaling: { ...scaling, type } })).toEqual(parseConfig(config))
  })

  test.each<[string, unknown, RegExp]>([
    ['hidden_act', 'gelu', /hidden_act expected "silu", found "gelu"/],
    ['partial_rotary_factor', 0.1, /partial_rotary_factor expected an even number of the 8 dimensions/],
    [
      'num_key_value_heads',
      3,
      /num_key_value_heads expected a divisor of num_attention_heads \(4\), found 3/,
    ],
    ['hidden_size', 36, /hidden_size expected a multiple of twice num_attention_heads \(4\), found 36/],
    ['vocab_size', undefined, /vocab_size expected a positive integer, found nothing/],
    ['rope_scaling', { type: 'su', factor: 4 }, /rope_scaling\.type expected default, .* found "su"/],
  ])('a wrong %s is refused by name', (field, value, message) => {
    expect(() => parseConfig({ ...json('plain'), [field]: value })).toThrow(message)
  })
})
