import { readFileSync } from 'node:fs'
import { fileURLToPath } from 'node:url'
import { openSafetensors } from '@ift/core'
import { manifestConformance, modelConformance } from '@ift/core/testing'
import { instructionSets, openCpu } from '@ift/kernels-cpu'
import { IftError } from '@ift/tensor'
import { describe, expect, test } from 'vitest'
import { gpt2, parseConfig, plugin } from './index.js'

const fixture = (path: string) => fileURLToPath(new URL(`../fixtures/${path}`, import.meta.url))
const json = JSON.parse(readFileSync(fixture('gpt2-tiny/config.json'), 'utf8')) as Record<string, unknown>

/** Why the native add-on cannot be used, or null. */
function cpuMissing(): string | null {
  try {
    return instructionSets().length > 0 ? null : 'no instruction set'
  } catch (error) {
    if (error instanceof IftError) return error.message
    throw error
  }
}
const missing = cpuMissing()
if (missing !== null) process.stderr.write(`skipped: ${missing}\n`)

// gpt2-tiny has the tensor names of OpenAI's checkpoint; gpt2-untied those that transformers saves.
for (const name of ['gpt2-tiny', 'gpt2-untied']) {
  describe(name, () => {
    for (const { name: what, run } of modelConformance(plugin, { golden: fixture(name) })) test(what, run)
  })
  describe(`${name} on the CPU`, () => {
    const options = { golden: fixture(name), open: () => openCpu({ threads: 2 }) }
    for (const { name: what, run } of modelConformance(plugin, options))
      test.skipIf(missing !== null)(what, run)
  })
}

describe('package.json', () => {
  const folder = fileURLToPath(new URL('..', import.meta.url))
  for (const { name, run } of manifestConformance(plugin, folder)) test(name, run)
})

test('the fixture is what checkpoints are: no prefix, masks, matrices [in, out]', async () => {
  const { tensors } = await openSafetensors(fixture('gpt2-tiny/model.safetensors'))
  expect(tensors.has('h.0.attn.bias')).toBe(true)
  expect(tensors.get('h.0.attn.c_attn.weight')!.shape).toEqual([16, 48])
  expect(tensors.has('lm_head.weight')).toBe(false)
})

test('without `transposed` the kit finds the checkpoint misshapen', async () => {
  const definition = { ...gpt2, transposed: undefined }
  const logits = modelConformance(definition, { golden: fixture('gpt2-tiny') }).find(({ name }) =>
    name.endsWith('logits and loss equal the golden ones'),
  )!
  await expect(logits.run()).rejects.toThrow('h.0.attn.c_attn.weight expected [48, 16], found [16, 48]')
})

test('reads GPT-2 124M as it is published', () => {
  const published = {
    activation_function: 'gelu_new',
    architectures: ['GPT2LMHeadModel'],
    layer_norm_epsilon: 1e-5,
    model_type: 'gpt2',
    n_ctx: 1024,
    n_embd: 768,
    n_head: 12,
    n_layer: 12,
    n_positions: 1024,
    vocab_size: 50257,
  }
  const config = parseConfig(published)
  expect(config).toMatchObject({ intermediate: 3072, tieWordEmbeddings: true, gelu: 'tanh' })
  let parameters = 0
  for (const [, { shape }] of gpt2.build(config).namedParameters())
    parameters += shape.reduce((product, d) => product * d, 1)
  expect(parameters).toBe(124_439_808)
})

test.each([
  ['n_embd', 15, 'n_embd expected a multiple of n_head (2), found 15'],
  ['n_layer', undefined, 'n_layer expected a positive integer, found nothing'],
  [
    'activation_function',
    'relu6',
    'activation_function expected "gelu_new" or "gelu_pytorch_tanh" or "gelu"',
  ],
  ['add_cross_attention', true, 'add_cross_attention expected false'],
  ['layer_norm_epsilon', 0, 'layer_norm_epsilon expected a positive number, found 0'],
])('a config with %s %s is refused', (field, value, message) => {
  expect(() => parseConfig({ ...json, [field]: value })).toThrow(message)
})
