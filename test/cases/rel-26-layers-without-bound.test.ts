import { readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { root, tinyCase, type CaseFolder } from './ift.fixture.js'

// A model is built of as many parts as config.json says, and the checkpoint is looked at afterwards.

let folder: CaseFolder
let config: Record<string, unknown>
beforeAll(() => {
  folder = tinyCase('rel-26-layers-without-bound')
  config = JSON.parse(folder.read('config.json')) as Record<string, unknown>
})
afterAll(() => {
  folder.remove()
})

const generate = (fields: Readonly<Record<string, unknown>>) => {
  writeFileSync(folder.path('m/config.json'), JSON.stringify({ ...config, ...fields }))
  return folder.ift(['generate', 'hello', '--weights', './m', '--device', 'cpu'], {
    timeout: 20_000,
  })
}

test.each([
  [{}, 'n_layer'],
  [{ n_layer: 1_000_000 }, 'n_layer'],
  [{ n_layer: 2, num_attention_heads: 2 ** 30, n_embed: 2 ** 30 }, 'num_attention_heads'],
  [{ n_layer: 2, vocab_size: 2 ** 40 }, 'vocab_size'],
])('config.json with %o', (fields, name) => {
  const { code, stderr } = generate(fields)
  expect(code, stderr).toBe(1)
  expect(stderr).toContain('IFT_MODEL_CONFIG')
  expect(stderr).toContain(name)
})

test('more layers than the checkpoint has, and fewer than the bound', () => {
  const { code, stderr } = generate({ n_layer: 4000 })
  expect(code, stderr).toBe(1)
  expect(stderr).toContain('IFT_WEIGHTS_MISSING')
})

test('a model that starts from random values and is larger than the memory', () => {
  writeFileSync(
    folder.path('m/config.json'),
    JSON.stringify({ ...config, n_layer: 4000, n_embed: 1 << 20, num_attention_heads: 1024 }),
  )
  const args = [
    '--weights',
    './m',
    '--initialize',
    '--data',
    'd.jsonl',
    '--template',
    'plain',
    '--peft.method',
    'none',
  ]
  const { code, stderr } = folder.ift(['train', ...args, '--device', 'cpu', '--output', 'run'], {
    timeout: 30_000,
  })
  expect(code, stderr).toBe(1)
  expect(stderr).toContain('IFT_OUT_OF_MEMORY')
})

test('the same of a GGUF file', () => {
  const original = readFileSync(join(root, 'fixtures/checkpoint/gguf/mixed.gguf'))
  const key = Buffer.from('llama.block_count')
  const at = original.indexOf(key) + key.length + 4
  const changed = Buffer.from(original)
  changed.writeUInt32LE(2 ** 31 - 1, at)
  writeFileSync(folder.path('m.gguf'), changed)
  const { code, stderr } = folder.ift(['generate', 'hello', '--weights', './m.gguf', '--device', 'cpu'], {
    timeout: 20_000,
  })
  expect(code, stderr).toBe(1)
  expect(stderr).toMatch(/IFT_MODEL_CONFIG.*|num_hidden_layers/s)
})
