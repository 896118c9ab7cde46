// Virtual tokens of a method in a session: where lengths have limits, they count.
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, expect, test } from 'vitest'
import * as z from '@ift/core/options'
import { definePeft, type IftConfig, type PeftMethod } from '@ift/core'
import { plugin as cpu } from '@ift/kernels-cpu'
import { plugin as llama } from '@ift/model-llama'
import { prefixTuning } from '@ift/peft-ptuning'
import { Parameter, random } from '@ift/tensor'
import { rows } from '../cases/ift.fixture.js'
import { copyModel, smallSizes } from '../fixture/small-model.js'
import { lossesOf, sessionsIn } from '../fixture/session.js'

interface SoftOptions {
  readonly virtualTokens: number
  readonly keys: boolean
}

/** Trained rows, or keys and values, in front of every sequence. */
const soft: PeftMethod<SoftOptions> = {
  name: 'soft',
  peftTypes: ['SOFT'],
  options: z.strictObject({
    virtualTokens: z.int().positive(),
    keys: z.boolean().default(false),
  }),
  virtualTokens: ({ virtualTokens: tokens }) => ({ tokens, places: tokens }),
  fromAdapterConfig: () => ({ virtualTokens: 1, keys: false }),
  attach(_model, { virtualTokens: length, keys }, { backend, shape, dtype, seed }) {
    const parameters: Parameter[] = []
    const add = (...size: number[]) => {
      const parameter = new Parameter(size)
      parameter.assign(random(backend, size, 'normal', { seed, stream: parameters.length }, dtype))
      parameter.setTrainable(true)
      parameters.push(parameter)
      return parameter
    }
    const size = [length, shape.kvHeads, shape.headDim] as const
    const layers = keys ? Array.from({ length: shape.layers }, () => [add(...size), add(...size)]) : []
    const table = keys ? null : add(length, shape.hidden)
    return Promise.resolve({
      prefix: table
        ? { length, rows: () => table.value }
        : { length, keysAndValues: () => layers.map(([k, v]) => ({ k: k!.value, v: v!.value })) },
      trainable: () =>
        parameters.map((parameter, i) => ({ name: `t${i}`, parameter, lrScale: 1, decay: false })),
      save: () =>
        Promise.resolve({
          config: { peft_type: 'SOFT' },
          tensors: new Map(parameters.map(({ master }, i) => [`t${i}`, master])),
        }),
      load: () => Promise.resolve(),
      merge: null,
      setTraining: () => undefined,
      setEnabled: () => undefined,
      release() {
        for (const parameter of parameters) parameter.release()
      },
    })
  },
}

const dir = mkdtempSync(join(tmpdir(), 'ift-virtual-tokens-'))
copyModel(join(dir, 'small'), { ...smallSizes, num_hidden_layers: 2, max_position_embeddings: 64 })
writeFileSync(join(dir, 'rows.jsonl'), rows(24))
writeFileSync(
  join(dir, 'long.jsonl'),
  JSON.stringify({ instruction: 'say it', output: 'number '.repeat(100) }) + '\n',
)
afterAll(() => {
  rmSync(dir, { recursive: true, force: true })
})

const session = sessionsIn(dir, [cpu, llama, definePeft(soft), definePeft(prefixTuning)])
const config = (
  options: { virtualTokens: number; keys?: boolean },
  more: Partial<IftConfig> = {},
): IftConfig => ({
  ...{ weights: './small', initialize: true, data: './rows.jsonl', template: 'plain', dtype: 'f32' },
  peft: { method: 'soft', ...options },
  train: { batchSize: 8, maxSteps: 12, evalEvery: 0, learningRate: 0.05, microBatchTokens: 1 },
  ...more,
})

const both = [false, true]

test.each(both)('a sample and what stands in front of it are at most maxLength (keys: %s)', async (keys) => {
  const limitOf = (maxLength: number, virtual: number) =>
    session(config({ virtualTokens: virtual, keys }, { maxLength, data: './long.jsonl' }), async (ift) => {
      const { data, plan } = await ift.planTraining()
      // The same without the model.
      expect((await ift.openData()).data.limit).toEqual(data.limit)
      expect(data.longest).toBe(data.limit.tokens)
      return { ...data.limit, total: plan.total }
    })
  expect(await limitOf(50, 10)).toMatchObject({ tokens: 40, by: 'maxLength', virtual: 10 })
  expect(await limitOf(500, 10)).toMatchObject({ tokens: 54, by: 'model', virtual: 10 })
  expect((await limitOf(50, 20)).tokens).toBe(30)
})

test.each([
  [true, 500, { tokens: 64, by: 'model', virtual: 10 }],
  [true, 60, { tokens: 50, by: 'maxLength', virtual: 10 }],
  [true, 70, { tokens: 60, by: 'maxLength', virtual: 10 }],
  [false, 500, { tokens: 54, by: 'model', virtual: 10 }],
])(
  'positionsFromZero: %s, maxLength %d: data are cut alike with and without the model',
  async (positionsFromZero, maxLength, limit) => {
    const peft = { method: 'prefix-tuning', virtualTokens: 10, positionsFromZero }
    const at = { ...config({ virtualTokens: 10 }, { maxLength, data: './long.jsonl' }), peft }
    await session(at, async (ift) => {
      const { data } = await ift.openData()
      expect(data.limit).toEqual(limit)
      expect(data.longest).toBe(limit.tokens)
      const trained = await ift.planTraining()
      expect(trained.data.limit).toEqual(limit)
      expect(trained.data.hash).toBe(data.hash)
    })
  },
)

test.each(both)('no room for a text is refused (keys: %s)', async (keys) => {
  const open = (virtual: number, more: Partial<IftConfig>) =>
    session(config({ virtualTokens: virtual, keys }, more), (ift) => ift.planTraining())
  await expect(open(63, { maxLength: 500 })).rejects.toMatchObject({
    code: 'IFT_PEFT_NO_ROOM',
    message:
      'peft.virtualTokens expected at most 62, which leaves 2 of the 64 positions of the model, found 63.',
  })
  await expect(open(31, { maxLength: 32 })).rejects.toMatchObject({
    code: 'IFT_PEFT_NO_ROOM',
    message:
      'peft.virtualTokens expected at most 30, which leaves 2 of the 32 tokens of maxLength, found 31.',
  })
})

test.each(both)('micro-batches, plan and answers count them (keys: %s)', async (keys) => {
  await session(config({ virtualTokens: 10, keys }, { output: `run-${keys}` }), async (ift) => {
    const training = await ift.createTraining()
    const { open, data } = training
    expect(training.microBatchTokens).toBe(data.longest + (keys ? 0 : 10))
    expect(training.trainable).toBe(10 * (keys ? 2 * 2 * 2 * 64 : 128))
    const losses = await lossesOf(training)
    expect(losses.at(-1)).toBeLessThan(losses[0]! - 0.1)

    const generator = await ift.createGenerator(open)
    const options = { maxNewTokens: 100, doSample: false, minNewTokens: 100 }
    const answer = await generator.generate('say', options)
    expect(answer.finish).toBe('length')
    expect(answer.promptTokens + answer.ids.length).toBe(54)
    await expect(generator.generate('say '.repeat(60), options)).rejects.toMatchObject({
      code: 'IFT_SEQUENCE_TOO_LONG',
      message: expect.stringMatching(
        /the model's limit is 54 with the answer, behind 10 virtual tokens\./,
      ) as string,
    })
    await expect(generator.score(new Int32Array(55))).rejects.toMatchObject({
      code: 'IFT_SEQUENCE_TOO_LONG',
      message: "The text has 55 tokens; the model's limit is 54 behind 10 virtual tokens.",
    })
    expect(await generator.score(new Int32Array(54).fill(7))).toHaveLength(54)
  })
})
