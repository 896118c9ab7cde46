import { expect, test } from 'vitest'
import * as z from './options.js'
import { readWords } from './read-words.js'
import { configSchema } from './schema.js'

const options = z.strictObject({
  r: z.number().int(),
  dropout: z.number(),
  targets: z.union([z.string(), z.array(z.string())]),
  layers: z.array(z.number()),
  name: z.string(),
  dora: z.boolean(),
  level: z.union([z.literal('auto'), z.number()]),
  table: z.record(z.string(), z.number()),
})
const read = (name: string, ...words: string[]) => readWords(options, [name], words)

test('words are read as the option takes them, whatever they look like', () => {
  expect(read('r', '16')).toBe(16)
  expect(read('dropout', '.5')).toBe(0.5)
  expect(read('name', '7')).toBe('7')
  expect(read('name', 'true')).toBe('true')
  expect(read('name', '1e3')).toBe('1e3')
  expect(read('targets', 'q_proj')).toEqual(['q_proj'])
  expect(read('targets', 'all-linear')).toBe('all-linear')
  expect(read('targets', '.*_proj')).toBe('.*_proj')
  expect(read('targets', 'q_proj', 'v_proj')).toEqual(['q_proj', 'v_proj'])
  expect(read('targets', '["q_proj"]')).toEqual(['q_proj'])
  expect(read('layers', '3')).toEqual([3])
  expect(read('layers', '3', '4')).toEqual([3, 4])
  expect(read('dora')).toBe(true)
  expect(read('dora', 'false')).toBe(false)
  expect(read('level', 'auto')).toBe('auto')
  expect(read('level', '3')).toBe(3)
  expect(read('table', '{"q_proj": 4}')).toEqual({ q_proj: 4 })
})

test('what no form of the option takes is left to the check of all', () => {
  expect(read('r', 'many')).toBe('many')
  expect(read('rr', '16')).toBe(16)
  expect(() => read('name')).toThrow('--name needs a value')
})

test('options of the config', () => {
  const config = (path: string, ...words: string[]) => readWords(configSchema, path.split('.'), words)
  expect(config('weights', '7')).toBe('7')
  expect(config('validation.size', '.5')).toBe(0.5)
  expect(config('train.epochs', '2')).toBe(2)
  expect(config('data', 'alpaca')).toEqual(['alpaca'])
  expect(config('data', './a.json')).toBe('./a.json')
  expect(config('data', '7')).toEqual(['7'])
  expect(config('data', 'alpaca', '{"path":"a.json","limit":2}')).toEqual([
    'alpaca',
    { path: 'a.json', limit: 2 },
  ])
  expect(config('generate.stop', '7')).toEqual(['7'])
  expect(config('generate.stop', 'a b', 'c')).toEqual(['a b', 'c'])
  expect(config('dedup')).toBe(true)
  expect(config('template', 'true')).toBe('true')
})
