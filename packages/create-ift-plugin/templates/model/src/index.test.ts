import { fileURLToPath } from 'node:url'
import { manifestConformance, modelConformance } from '@ift/core/testing'
import { openCpu } from '@ift/kernels-cpu'
import { describe, expect, test } from 'vitest'
import { parseConfig, plugin } from './index.js'

/** Small enough for arithmetic in TypeScript. */
const config = {
  architectures: ['__Name__ForCausalLM'],
  model_type: '__name__',
  vocab_size: 37,
  hidden_size: 16,
  intermediate_size: 20,
  num_hidden_layers: 2,
  num_attention_heads: 4,
  num_key_value_heads: 2,
  max_position_embeddings: 64,
}

describe('on the reference backend', () => {
  for (const { name, run } of modelConformance(plugin, { config })) test(name, run)
})
describe('on the CPU', () => {
  const open = () => openCpu({ threads: 2 })
  for (const { name, run } of modelConformance(plugin, { config, open })) test(name, run)
})
describe('package.json', () => {
  const folder = fileURLToPath(new URL('..', import.meta.url))
  for (const { name, run } of manifestConformance(plugin, folder)) test(name, run)
})

test('what the modules do not do is refused by its field', () => {
  expect(() => parseConfig({ ...config, hidden_act: 'gelu' })).toThrow(
    'hidden_act expected "silu", found "gelu"',
  )
})
