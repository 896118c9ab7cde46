import { fileURLToPath } from 'node:url'
import { manifestConformance, peftConformance } from '@ift/core/testing'
import { openCpu } from '@ift/kernels-cpu'
import { llama } from '@ift/model-llama'
import { describe, test } from 'vitest'
import { plugin } from './index.js'

/** Small enough for arithmetic in TypeScript. */
const config = {
  vocab_size: 37,
  hidden_size: 16,
  intermediate_size: 20,
  num_hidden_layers: 2,
  num_attention_heads: 4,
  num_key_value_heads: 2,
}
const settings = { models: [{ definition: llama, config }], options: { rank: 3 }, learningRate: 0.05 }

describe('on the reference backend', () => {
  for (const { name, run } of peftConformance(plugin, settings)) test(name, run)
})
describe('on the CPU', () => {
  const open = () => openCpu({ threads: 2 })
  for (const { name, run } of peftConformance(plugin, { ...settings, open })) test(name, run)
})
describe('package.json', () => {
  const folder = fileURLToPath(new URL('..', import.meta.url))
  for (const { name, run } of manifestConformance(plugin, folder)) test(name, run)
})
