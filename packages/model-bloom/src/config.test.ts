import { IftError } from '@ift/tensor'
import { describe, expect, test } from 'vitest'
import { bloom, parseConfig } from './index.js'

/** config.json of bloom-560m as it is published. */
const published = {
  apply_residual_connection_post_layernorm: false,
  architectures: ['BloomForCausalLM'],
  attention_dropout: 0.0,
  attention_softmax_in_fp32: true,
  bias_dropout_fusion: true,
  bos_token_id: 1,
  eos_token_id: 2,
  hidden_dropout: 0.0,
  initializer_range: 0.02,
  layer_norm_epsilon: 1e-5,
  masked_softmax_fusion: true,
  model_type: 'bloom',
  n_embed: 1024,
  n_inner: null,
  n_layer: 24,
  num_attention_heads: 16,
  offset_alibi: 100,
  pad_token_id: 3,
  pretraining_tp: 1,
  skip_bias_add: true,
  skip_bias_add_qkv: false,
  unk_token_id: 0,
  use_cache: true,
  vocab_size: 250880,
}

test('the published config is read', () => {
  const config = parseConfig(published)
  expect(config).toEqual({
    vocabSize: 250880,
    hidden: 1024,
    layers: 24,
    heads: 16,
    eps: 1e-5,
    residualAfterNorm: false,
    tieWordEmbeddings: true,
    std: 0.02,
  })
  expect(bloom.shape(config)).toMatchObject({ headDim: 64, intermediate: 4096, maxPositions: null })
})

test.each([
  ['560m', 1024, 24, 16, 559_214_592],
  ['1b1', 1536, 24, 16, 1_065_314_304],
  ['1b7', 2048, 24, 16, 1_722_408_960],
  ['3b', 2560, 30, 32, 3_002_557_440],
  ['7b1', 4096, 30, 32, 7_069_016_064],
  ['176B', 14336, 70, 112, 176_247_271_424],
])('BLOOM %s has the parameters of its model card', (_, hidden_size, num_hidden_layers, n_head, expected) => {
  const config = parseConfig({ vocab_size: 250880, hidden_size, num_hidden_layers, n_head })
  let parameters = 0
  for (const [, { shape }] of bloom.build(config).namedParameters())
    parameters += shape.reduce((a, b) => a * b, 1)
  expect(parameters).toBe(expected)
})

describe('a config is refused with', () => {
  test.each<[string, Record<string, unknown>, RegExp]>([
    ['no width', { n_embed: null }, /hidden_size or n_embed expected a positive integer, found nothing/],
    ['a fraction', { n_layer: 2.5 }, /n_layer expected a positive integer, found 2\.5/],
    ['two widths', { hidden_size: 2048 }, /n_embed expected the same as hidden_size \(2048\), found 1024/],
    [
      'two depths',
      { num_hidden_layers: 30 },
      /num_hidden_layers expected the same as n_layer \(24\), found 30/,
    ],
    [
      'heads that do not divide',
      { num_attention_heads: 15 },
      /n_embed expected a multiple of the 15 heads, found 1024/,
    ],
    ['another feed-forward', { n_inner: 2048 }, /n_inner expected null or 4096, .* found 2048/],
    ['an epsilon of 0', { layer_norm_epsilon: 0 }, /layer_norm_epsilon expected a positive number, found 0/],
    [
      'a flag that is text',
      { apply_residual_connection_post_layernorm: 'no' },
      /apply_residual_connection_post_layernorm expected true or false, found "no"/,
    ],
    ['no vocabulary', { vocab_size: undefined }, /vocab_size expected a positive integer, found nothing/],
  ])('%s', (_, change, message) => {
    const wrong = () => parseConfig({ ...published, ...change })
    expect(wrong).toThrow(IftError)
    expect(wrong).toThrow(message)
  })
})
