import { expect, test } from 'vitest'
import { readDecoderSizes } from './decoder-sizes.js'
import { fixedFlag } from './fields.js'

const json = {
  vocab_size: 100,
  hidden_size: 32,
  intermediate_size: 64,
  num_hidden_layers: 2,
  num_attention_heads: 4,
}

test('what config.json lacks has the default of the family', () => {
  expect(readDecoderSizes(json)).toEqual({
    vocabSize: 100,
    hidden: 32,
    intermediate: 64,
    layers: 2,
    heads: 4,
    kvHeads: 4,
    headDim: 8,
    eps: 1e-6,
  })
  expect(readDecoderSizes(json, { kvHeads: 2, headDim: 128, eps: 1e-5 })).toMatchObject({
    kvHeads: 2,
    headDim: 128,
    eps: 1e-5,
  })
  expect(readDecoderSizes({ ...json, num_key_value_heads: 1, head_dim: 6, rms_norm_eps: 0.1 })).toMatchObject(
    {
      kvHeads: 1,
      headDim: 6,
      eps: 0.1,
    },
  )
  // A size of its own need not divide hidden_size.
  expect(readDecoderSizes({ ...json, hidden_size: 30, head_dim: 8 }).headDim).toBe(8)
  expect(readDecoderSizes({ ...json, hidden_size: 30 }, { headDim: 8 }).headDim).toBe(8)
})

test.each([
  [{ num_key_value_heads: 3 }, 'num_key_value_heads expected a divisor of num_attention_heads (4), found 3'],
  [{ head_dim: 7 }, 'head_dim expected an even number, found 7'],
  [{ hidden_size: 28 }, 'hidden_size expected a multiple of twice num_attention_heads (4), found 28'],
  [{ hidden_size: 30, head_dim: null }, 'hidden_size expected a multiple of twice num_attention_heads (4)'],
  [{ rms_norm_eps: 0 }, 'rms_norm_eps expected a positive number, found 0'],
  [{ vocab_size: undefined }, 'vocab_size expected a positive integer, found nothing'],
])('%j is refused by name', (change, message) => {
  expect(() => readDecoderSizes({ ...json, ...change })).toThrow(message)
})

test('a flag that the family has one value of', () => {
  expect(() => {
    fixedFlag({}, 'tied', false)
    fixedFlag({ tied: false }, 'tied', false)
  }).not.toThrow()
  expect(() => {
    fixedFlag({ tied: true }, 'tied', false, 'It has a head of its own.')
  }).toThrow('config.json: tied expected false, found true')
  expect(() => {
    fixedFlag({ tied: 'no' }, 'tied', false)
  }).toThrow('tied expected true or false, found "no"')
})
