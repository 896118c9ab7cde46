import { readFileSync } from 'node:fs'
import { fileURLToPath } from 'node:url'
import { modelConformance } from '@ift/core/testing'
import { openCpu } from '@ift/kernels-cpu'
import { IftError } from '@ift/tensor'
import { describe, expect, test } from 'vitest'
import { chatglm, glm, parseChatGlm, parseGlm } from './index.js'

const fixture = (path: string) => fileURLToPath(new URL(`../../../fixtures/chatglm/${path}`, import.meta.url))
const json = (name: string) =>
  JSON.parse(readFileSync(fixture(`${name}/config.json`), 'utf8')) as Record<string, unknown>

for (const [golden, definition, promptEnd] of [
  ['chatglm1', chatglm, [41, 44]],
  ['chatglm2', chatglm, []],
  ['chatglm3-long', chatglm, []],
  ['glm', glm, []],
  ['glm-parameters', glm, []],
  ['glm4', glm, []],
  ['glm4-plain', glm, []],
] as const) {
  const options = { golden: fixture(golden), promptEnd }
  describe(golden, () => {
    for (const { name, run } of modelConformance(definition, options)) test(name, run)
  })
  describe(`${golden} on the CPU`, () => {
    const open = () => openCpu({ threads: 2 })
    for (const { name, run } of modelConformance(definition, { ...options, open })) test(name, run)
  })
}

describe('published configs', () => {
  const count = (model: ReturnType<typeof glm.build>) => {
    let parameters = 0
    for (const [, { shape }] of model.namedParameters()) parameters += shape.reduce((a, b) => a * b, 1)
    return parameters
  }
  const own = {
    add_bias_linear: false,
    add_qkv_bias: true,
    ffn_hidden_size: 13696,
    hidden_size: 4096,
    kv_channels: 128,
    multi_query_attention: true,
    multi_query_group_num: 2,
    num_attention_heads: 32,
    quantization_bit: 0,
    rmsnorm: true,
  }

  test('ChatGLM2-6B and GLM-4-9B have their parameters', () => {
    const two = { ...own, num_layers: 28, padded_vocab_size: 65024 }
    expect(count(chatglm.build(parseChatGlm(two)))).toBe(6_243_584_000)
    const four = { ...own, num_layers: 40, padded_vocab_size: 151552 }
    expect(count(chatglm.build(parseChatGlm(four)))).toBe(9_399_951_360)
  })

  test('GLM-4-9B is the same model in both forms', () => {
    const four = {
      ...own,
      num_layers: 40,
      padded_vocab_size: 151552,
      rope_ratio: 500,
      layernorm_epsilon: 1.5625e-7,
      seq_length: 131072,
    }
    const config = parseGlm({
      vocab_size: 151552,
      hidden_size: 4096,
      intermediate_size: 13696,
      num_hidden_layers: 40,
      num_attention_heads: 32,
      num_key_value_heads: 2,
      head_dim: 128,
      attention_bias: true,
      max_position_embeddings: 131072,
      rms_norm_eps: 1.5625e-7,
      rope_theta: 5000000,
      partial_rotary_factor: 0.5,
    })
    expect(config).toEqual(parseChatGlm(four))
    expect(count(glm.build(config))).toBe(9_399_951_360)
  })
})

test('GLM-4-0414 has two more norms a layer, told from model_type or the architecture', () => {
  const { model_type, architectures, ...rest } = json('glm4')
  const norms = (more: Record<string, unknown>) =>
    [...glm.build(parseGlm({ ...rest, ...more })).namedParameters()].filter(([path]) =>
      /\.post_(self_attn|mlp)_layernorm\.weight$/.test(path),
    ).length
  expect([norms({ model_type }), norms({ architectures }), norms({ model_type: 'glm' })]).toEqual([6, 6, 0])
})

test.each<[string, unknown, RegExp]>([
  ['rmsnorm', false, /rmsnorm expected true, found false/],
  ['add_bias_linear', true, /add_bias_linear expected false, found true/],
  ['apply_residual_connection_post_layernorm', true, /post_layernorm expected false, found true/],
  ['pre_seq_len', 128, /pre_seq_len expected null, found 128/],
  ['quantization_bit', 4, /quantization_bit expected 0, found 4/],
  [
    'multi_query_group_num',
    4,
    /multi_query_group_num expected a divisor of num_attention_heads \(6\), found 4/,
  ],
  ['kv_channels', 6, /kv_channels expected a multiple of 4, as half of it turns, found 6/],
  ['padded_vocab_size', undefined, /padded_vocab_size expected a positive integer, found nothing/],
  ['rope_ratio', 0, /rope_ratio expected a positive number, found 0/],
  ['add_qkv_bias', 'yes', /add_qkv_bias expected true or false, found "yes"/],
])('a wrong %s of ChatGLM is refused by name', (field, value, message) => {
  const wrong = () => parseChatGlm({ ...json('chatglm2'), [field]: value })
  expect(wrong).toThrow(IftError)
  expect(wrong).toThrow(message)
})

test.each<[string, unknown, RegExp]>([
  ['hidden_act', 'gelu', /hidden_act expected "silu", found "gelu"/],
  ['num_key_value_heads', 4, /num_key_value_heads expected a divisor of num_attention_heads \(6\), found 4/],
  ['partial_rotary_factor', 0.4, /partial_rotary_factor expected an even number of the 8 dimensions/],
  ['partial_rotary_factor', 2, /partial_rotary_factor expected at most 1, found 2/],
  ['rope_scaling', { type: 'yarn' }, /rope_scaling\.type expected default, found "yarn"/],
  ['rope_parameters', 1, /rope_parameters expected an object, found 1/],
  ['head_dim', 0, /head_dim expected a positive integer, found 0/],
])('a wrong %s of GLM is refused by name', (field, value, message) => {
  const wrong = () => parseGlm({ ...json('glm'), [field]: value })
  expect(wrong).toThrow(IftError)
  expect(wrong).toThrow(message)
})
