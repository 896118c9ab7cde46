import { readFileSync } from 'node:fs'
import { fileURLToPath } from 'node:url'
import { initializeWeights, loadWeights, openCheckpoint } from '@ift/core'
import { modelConformance } from '@ift/core/testing'
import { openCpu } from '@ift/kernels-cpu'
import { IftError, noGrad, PackedKv, scope, segments, tensor, type Backend, type CausalLM } from '@ift/tensor'
import { referenceBackend } from '@ift/tensor/reference'
import { describe, expect, test } from 'vitest'
import { gptj, moss } from './index.js'

const fixture = (path: string) => fileURLToPath(new URL(`../../../fixtures/moss/${path}`, import.meta.url))
const json = (name: string) =>
  JSON.parse(readFileSync(fixture(`${name}/config.json`), 'utf8')) as Record<string, unknown>

for (const [golden, definition] of [
  ['codegen', moss],
  ['codegen-whole', moss],
  ['gptj', gptj],
] as const) {
  describe(golden, () => {
    for (const { name, run } of modelConformance(definition, { golden: fixture(golden) })) test(name, run)
  })
  describe(`${golden} on the CPU`, () => {
    const open = () => openCpu({ threads: 2 })
    const options = { golden: fixture(golden), open }
    for (const { name, run } of modelConformance(definition, options)) test(name, run)
  })
}

const hiddenOf = (backend: Backend, model: CausalLM, ids: readonly number[]) =>
  scope(() =>
    noGrad(() => {
      const all = segments(backend, [ids.length])
      const positions = tensor(
        backend,
        ids.map((_, i) => i),
        [ids.length],
        'i32',
      )
      const input = { ids: tensor(backend, ids, [ids.length], 'i32'), positions, segments: all }
      return model.call({ ...input, kv: new PackedKv(all), maxPosition: ids.length })
    }),
  )

test('heads of 256 dimensions, 64 of them rotated, as in MOSS-moon-003', async () => {
  const config = moss.parseConfig({
    ...json('codegen'),
    n_embd: 1024,
    n_head: 4,
    rotary_dim: 64,
    n_inner: 64,
  })
  const found: Float32Array[] = []
  for (const backend of [referenceBackend(), openCpu({ threads: 2 })]) {
    const model = moss.build(config)
    await initializeWeights(model, moss, config, { backend, dtype: 'f32', seed: 3 })
    const hidden = hiddenOf(backend, model, [1, 17, 41, 42, 5, 9])
    found.push(await hidden.read())
    hidden.release()
    model.release()
    backend.close()
  }
  const [expected, cpu] = found as [Float32Array, Float32Array]
  expect(expected.some((x) => Math.abs(x) > 0.5)).toBe(true)
  const worst = expected.reduce((most, x, i) => Math.max(most, Math.abs(x - cpu[i]!)), 0)
  expect(worst).toBeLessThan(1e-4)
})

test('a sequence over n_positions is refused', async () => {
  const backend = referenceBackend()
  const config = moss.parseConfig({ ...json('codegen'), n_positions: 4 })
  const model = moss.build(config)
  const source = await openCheckpoint(fixture('codegen'))
  await loadWeights(model, moss, config, source, { backend, dtype: 'f32' })
  hiddenOf(backend, model, [1, 2, 3, 4]).release()
  expect(() => hiddenOf(backend, model, [1, 2, 3, 4, 5])).toThrow(
    expect.objectContaining({ code: 'IFT_SEQUENCE_TOO_LONG' }),
  )
  model.release()
})

describe('config.json', () => {
  const count = (config: Record<string, unknown>) => {
    let parameters = 0
    for (const [, { shape }] of moss.build(moss.parseConfig(config)).namedParameters())
      parameters += shape.reduce((a, b) => a * b, 1)
    return parameters
  }

  test('of MOSS-moon-003 and CodeGen-350M gives their parameters', () => {
    const sizes = { activation_function: 'gelu_new', n_inner: null }
    expect(
      count({
        ...sizes,
        n_embd: 6144,
        n_head: 24,
        n_layer: 34,
        rotary_dim: 64,
        vocab_size: 107008,
        wbits: 32,
      }),
    ).toBe(16_717_980_160)
    expect(
      count({ ...sizes, n_embd: 1024, n_head: 16, n_layer: 20, rotary_dim: 32, vocab_size: 51200 }),
    ).toBe(356_712_448)
  })

  test.each<[string, Record<string, unknown>, RegExp]>([
    ['no width', { n_embd: undefined }, /n_embd expected a positive integer, found nothing/],
    ['heads that do not divide', { n_head: 9 }, /n_embd expected a multiple of n_head \(9\), found 48/],
    ['heads that make no four groups', { n_head: 2 }, /n_head expected a multiple of 4, .* found 2/],
    [
      'a rotation beyond the head',
      { rotary_dim: 8 },
      /rotary_dim expected an even number up to the 6 .* found 8/,
    ],
    ['an odd rotation', { rotary_dim: 3 }, /rotary_dim expected an even number .* found 3/],
    [
      'another activation',
      { activation_function: 'silu' },
      /activation_function expected "gelu_new", found "silu"/,
    ],
    ['a tied head', { tie_word_embeddings: true }, /tie_word_embeddings expected false, found true/],
    [
      'the code of CodeGen2',
      {
        architectures: ['CodeGenForCausalLM'],
        auto_map: { AutoConfig: 'configuration_codegen.CodeGenConfig' },
      },
      /auto_map expected none: the groups of CodeGen, found/,
    ],
    ['a quantised release', { wbits: 4 }, /wbits expected 32, found 4/],
    [
      'an epsilon of text',
      { layer_norm_epsilon: '1' },
      /layer_norm_epsilon expected a positive number, found "1"/,
    ],
  ])('is refused with %s', (_, change, message) => {
    const wrong = () => moss.parseConfig({ ...json('codegen'), ...change })
    expect(wrong).toThrow(IftError)
    expect(wrong).toThrow(message)
  })
})
