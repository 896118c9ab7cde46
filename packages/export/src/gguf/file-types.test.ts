import { expect, test } from 'vitest'
import { typesOf } from './file-types.js'

const layers = 8
const matrix = (name: string) => ({ name: `${name}.weight`, shape: [256, 256] })
const model = [
  matrix('token_embd'),
  matrix('output'),
  ...Array.from({ length: layers }, (_, i) =>
    ['attn_q', 'attn_v', 'ffn_down'].map((part) => matrix(`blk.${i}.${part}`)),
  ).flat(),
]
const dtypes = (tensors: typeof model, type: Parameters<typeof typesOf>[1], part: string) => {
  const types = typesOf(tensors, type, layers)
  return [...types].filter(([name]) => name.includes(part)).map(([, { dtype }]) => dtype)
}

test('a mixture has more bits in the first, the last and every third layer between', () => {
  const some = ['Q6_K', 'Q4_K', 'Q4_K', 'Q6_K', 'Q4_K', 'Q4_K', 'Q6_K', 'Q6_K']
  expect(dtypes(model, 'q4_k_m', 'ffn_down')).toEqual(some)
  expect(dtypes(model, 'q4_k_m', 'attn_v')).toEqual(some)
  expect(new Set(dtypes(model, 'q4_k_m', 'attn_q'))).toEqual(new Set(['Q4_K']))
  expect(dtypes([matrix('blk.0.attn_qkv')], 'q4_k_m', 'attn_qkv')).toEqual(['Q5_K'])
})

test('the matrix of the logits has more bits, the embedding where it is that', () => {
  expect(dtypes(model, 'q4_0', 'output')).toEqual(['Q6_K'])
  expect(dtypes(model, 'q4_0', 'token_embd')).toEqual(['Q4_0'])
  expect(dtypes([matrix('token_embd')], 'q4_0', 'token_embd')).toEqual(['Q6_K'])
  expect(dtypes(model, 'q8_0', 'output')).toEqual(['Q8_0'])
})

test('rows that hold no whole blocks have another type, vectors f32', () => {
  const types = typesOf(
    [
      { name: 'blk.1.attn_q.weight', shape: [8, 96] },
      { name: 'blk.1.attn_k.weight', shape: [8, 40] },
      { name: 'blk.1.attn_norm.weight', shape: [96] },
    ],
    'q4_k_m',
    layers,
  )
  expect([...types.values()]).toEqual([
    { dtype: 'Q5_0', instead: 'Q4_K' },
    { dtype: 'F16', instead: 'Q4_K' },
    { dtype: 'F32', instead: null },
  ])
})
