import { readFileSync } from 'node:fs'
import { fileURLToPath } from 'node:url'
import { expect, test } from 'vitest'
import { loadWeights, openCheckpoint } from '@ift/core'
import { IftError, noGrad, PackedKv, promptLayout, scope, segments, tensor } from '@ift/tensor'
import { referenceBackend } from '@ift/tensor/reference'
import { chatglm, ChatGlm1ForCausalLM, halfHeadFrequencies, parseChatGlm1, residualScale } from './index.js'

const folder = fileURLToPath(new URL('../../../fixtures/chatglm/chatglm1', import.meta.url))
const json = JSON.parse(readFileSync(`${folder}/config.json`, 'utf8')) as Record<string, unknown>
const published = {
  architectures: ['ChatGLMModel'],
  hidden_size: 4096,
  inner_hidden_size: 16384,
  num_layers: 28,
  num_attention_heads: 32,
  position_encoding_2d: true,
  vocab_size: 130528,
}

test('the residual is scaled by the 28 layers of the published model, also in a smaller one', () => {
  expect(residualScale).toBeCloseTo(Math.sqrt(56), 12)
})

test('frequencies are rounded to float16', () => {
  const found = halfHeadFrequencies(128)
  expect(found).toHaveLength(32)
  // numpy.float16(10000 ** (-2 i / 64)) at i = 0, 1, 7, 16, 31
  expect([0, 1, 7, 16, 31].map((i) => found[i])).toEqual(
    [1, 0.75, 0.13330078125, 0.01000213623046875, 0.00013339519500732422].map(Math.fround),
  )
})

test('the prompt ends at the first <sop>; the blank is [gMASK], or else [MASK]', () => {
  const model = new ChatGlm1ForCausalLM(parseChatGlm1(json))
  const [mask, gmask, start] = [40, 41, 44]
  expect(model.promptOf([5, 6, gmask, start, 7, start])).toEqual({ length: 3, blank: 2 })
  expect(model.promptOf([5, mask, 6, start, 7])).toEqual({ length: 3, blank: 1 })
  expect(model.promptOf([mask, gmask, start])).toEqual({ length: 2, blank: 1 })
  expect(model.promptOf([gmask, start, 5])).toEqual({ length: 1, blank: 0 })
  expect(model.promptOf([5, 6])).toEqual({ length: 0, blank: 0 })
})

test('a prompt is read in both directions, an answer in one', async () => {
  const backend = referenceBackend()
  const config = chatglm.parseConfig(json)
  const model = chatglm.build(config)
  await loadWeights(model, chatglm, config, await openCheckpoint(folder), { backend, dtype: 'f32' })
  const hidden = (ids: readonly number[], withPrompts = true) =>
    scope(() =>
      noGrad(() => {
        const all = segments(backend, [ids.length])
        const places = ids.map((_, i) => i)
        return model
          .call({
            ids: tensor(backend, ids, [ids.length], 'i32'),
            positions: tensor(backend, places, [ids.length], 'i32'),
            segments: all,
            kv: new PackedKv(all),
            maxPosition: ids.length,
            ...(withPrompts && { prompts: promptLayout(backend, [model.promptOf!(ids)], [ids.length]) }),
          })
          .read()
      }),
    )
  const ids = [5, 6, 7, 41, 44, 9, 10]
  const [base, prompt, answer] = [
    await hidden(ids),
    await hidden(ids.with(2, 8)),
    await hidden(ids.with(6, 11)),
  ]
  const row = (of: Float32Array, i: number) => [...of.subarray(36 * i, 36 * (i + 1))]
  // The first row sees the third one, which comes after it; no row sees a later one of the answer.
  expect(row(prompt, 0)).not.toEqual(row(base, 0))
  for (let i = 0; i < 6; i++) expect(row(answer, i)).toEqual(row(base, i))
  expect(() => hidden(ids, false)).toThrow(/expected prompts/)
  model.release()
  backend.close()
})

test('ChatGLM-6B has its parameters and is told from the later versions', () => {
  const config = chatglm.parseConfig(published)
  let parameters = 0
  for (const [, { shape }] of chatglm.build(config).namedParameters())
    parameters += shape.reduce((a, b) => a * b, 1)
  expect(parameters).toBe(6_707_929_088)
  expect(chatglm.shape(config)).toMatchObject({ headDim: 128, maxPositions: 2048, bidirectionalPrompt: true })
})

test.each<[string, unknown, RegExp]>([
  ['position_encoding_2d', false, /position_encoding_2d expected true, found false/],
  ['pre_seq_len', 128, /pre_seq_len expected null, found 128/],
  ['quantization_bit', 4, /quantization_bit expected 0, found 4/],
  ['num_attention_heads', 5, /num_attention_heads expected a divisor of hidden_size \(36\)/],
  ['bos_token_id', 48, /bos_token_id expected an id below vocab_size \(48\), found 48/],
  ['vocab_size', 150528, /vocab_size expected that of the final release, 130528, found 150528/],
  ['layernorm_epsilon', 0, /layernorm_epsilon expected a positive number, found 0/],
])('a wrong %s of ChatGLM-6B is refused by name', (field, value, message) => {
  const wrong = () => chatglm.parseConfig({ ...json, [field]: value })
  expect(wrong).toThrow(IftError)
  expect(wrong).toThrow(message)
})
