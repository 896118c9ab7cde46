import { cpSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, describe, expect, test } from 'vitest'
import * as z from '@ift/core/options'
import {
  defineOptimizer,
  openAdapter,
  openSafetensors,
  readValues,
  type IftConfig,
  type OptimizerDefinition,
} from '@ift/core'
import { optimizerConformance } from '@ift/core/testing'
import { openCpu, plugin as cpu } from '@ift/kernels-cpu'
import { plugin as bloom } from '@ift/model-bloom'
import { plugin as llama } from '@ift/model-llama'
import { plugin as lora } from '@ift/peft-lora'
import { rows } from '../cases/ift.fixture.js'
import { fixture, quickstart } from '../fixture/files.js'
import { copyModel, smallSizes } from '../fixture/small-model.js'
import { metricsOf, sessionsIn, trainsIn } from '../fixture/session.js'

const dir = mkdtempSync(join(tmpdir(), 'ift-optimizers-'))
copyModel(join(dir, 'small'), {
  ...smallSizes,
  hidden_size: 32,
  num_attention_heads: 2,
  num_key_value_heads: 2,
  head_dim: 16,
})
afterAll(() => {
  rmSync(dir, { recursive: true, force: true })
})

/** Momentum as a third party writes it, out of kernels that every Backend has. */
const sgd: OptimizerDefinition<{ momentum: number }> = {
  name: 'sgd',
  options: z.strictObject({ momentum: z.number().min(0).lt(1).default(0.9) }),
  state: (shape) => ({ momentum: shape }),
  update({ backend, options, gradientScale, spans }) {
    for (const { size, dtype, learningRate, weightDecay, values, masters, gradients, state } of spans) {
      const w = (masters ?? values).buf
      const [g, m] = [gradients.buf, state['momentum']!.buf]
      backend.scaleColumns(g, g, gradientScale.buf, size, 1, 'f32')
      backend.axpby(m, options.momentum, m, 1, g, size, 'f32')
      // A rate of 0 moves nothing: the momentum has no rate in it.
      backend.axpby(w, 1 - learningRate * weightDecay, w, -learningRate, m, size, 'f32')
      if (masters) backend.cast(values.buf, w, size, dtype, 'f32')
    }
  },
}

const session = sessionsIn(dir, [cpu, llama, bloom, lora, defineOptimizer(sgd)])
const train = trainsIn(session)

type Train = NonNullable<IftConfig['train']>

const config = (output: string, settings: Train, more: Partial<IftConfig> = {}): IftConfig => ({
  weights: './small',
  initialize: true,
  device: 'cpu',
  threads: 2,
  dtype: 'f32',
  data: [quickstart('data/bilingual.jsonl')],
  template: 'alpaca',
  maxLength: 160,
  peft: { method: 'none' },
  train: { batchSize: 4, maxSteps: 24, saveEvery: 8, evalEvery: 0, microBatchTokens: 400, ...settings },
  output,
  ...more,
})

const model = (output: string) => readFileSync(join(dir, output, 'model', 'model.safetensors'))
const losses = (output: string) => metricsOf(join(dir, output)).map(({ values }) => values['loss']!)
const mean = (of: readonly number[]) => of.reduce((sum, value) => sum + value, 0) / of.length

describe.each<[string, Train, string[]]>([
  ['adamw', { optimizer: 'adamw', learningRate: 1e-2 }, ['m', 'v']],
  ['lion', { optimizer: { name: 'lion', beta2: 0.98 }, learningRate: 3e-3, weightDecay: 0.1 }, ['m']],
  ['adafactor', { optimizer: 'adafactor', learningRate: 5e-3 }, ['column', 'row', 'v']],
  ['sgd', { optimizer: { name: 'sgd', momentum: 0.8 }, learningRate: 0.2 }, ['momentum']],
])('a run with %s', (name, settings, state) => {
  test('learns, and cut and resumed it ends in the same bytes', async () => {
    expect((await train(config(name, settings))).reason).toBe('done')
    const course = losses(name)
    expect(mean(course.slice(-4))).toBeLessThan(0.93 * mean(course.slice(0, 4)))
    expect((await train(config(`${name}-cut`, settings), { stopAfter: 9 })).reason).toBe('interrupted')
    expect((await train(config(`${name}-cut`, settings), { resume: true })).reason).toBe('done')
    expect(model(`${name}-cut`).equals(model(name))).toBe(true)
  })

  test('keeps its state in checkpoints by name', async () => {
    const path = join(dir, name, 'checkpoints/step-24/optimizer.safetensors')
    const { tensors } = await openSafetensors(path)
    expect([...new Set([...tensors.keys()].map((key) => key.split('.')[0]!))].sort()).toEqual(state)
  })

  test('is gone on with by no other optimizer', async () => {
    const other = name === 'lion' ? 'adamw' : 'lion'
    const changed = train(config(name, { ...settings, optimizer: other }), { resume: true })
    await expect(changed).rejects.toMatchObject({ code: 'IFT_RESUME_CONFIG' })
    await expect(changed).rejects.toThrow(`train.optimizer.name: was "${name}", is "${other}"`)
  })

  test('plans the memory that it takes', async () => {
    await session(config(name, settings), async (ift) => {
      const training = await ift.planTraining()
      const { trainable, plan } = training
      // f32: gradients of 4 bytes, and the state; every parameter begins at a multiple of 128 bytes.
      const perElement = (plan.training - 4 * trainable) / trainable
      const expected = { adamw: [8, 8.1], lion: [4, 4.1], adafactor: [0.02, 0.4], sgd: [4, 4.1] }[name]!
      expect(perElement).toBeGreaterThanOrEqual(expected[0]!)
      expect(perElement).toBeLessThan(expected[1]!)
      training.release()
    })
  })
})

test('options of AdamW have their short places', async () => {
  const short = { beta1: 0.8, beta2: 0.95, epsilon: 1e-6, maxSteps: 2 }
  await train(config('short', short))
  const { maxSteps, ...options } = short
  await train(config('long', { maxSteps, optimizer: { name: 'adamw', ...options } }))
  expect(model('short').equals(model('long'))).toBe(true)
  const read = (output: string) =>
    JSON.parse(readFileSync(join(dir, output, 'manifest.json'), 'utf8')) as { config: { train: object } }
  expect(read('short').config.train).toEqual(read('long').config.train)
})

test.each<[string, Train, string, RegExp]>([
  [
    'an unknown optimizer',
    { optimizer: 'adamm' },
    'IFT_PLUGIN_NOT_FOUND',
    /No optimizer plugin provides "adamm"/,
  ],
  [
    'an unknown option',
    { optimizer: { name: 'lion', beta3: 0.9 } },
    'IFT_CONFIG_INVALID',
    /unknown option "train\.optimizer\.beta3": did you mean "train\.optimizer\.beta[12]"/,
  ],
  [
    'a value out of range',
    { optimizer: { name: 'adafactor', clipThreshold: -1 } },
    'IFT_CONFIG_INVALID',
    /train\.optimizer\.clipThreshold/,
  ],
  [
    'an option that the optimizer has not, in its short place',
    { optimizer: 'lion', epsilon: 1e-8 },
    'IFT_CONFIG_INVALID',
    /unknown option "train\.optimizer\.epsilon"/,
  ],
  [
    'an option that stands in both places',
    { optimizer: { name: 'adamw', beta1: 0.9 }, beta1: 0.8 },
    'IFT_CONFIG_INVALID',
    /train\.beta1 is 0\.8, and train\.optimizer\.beta1, which is the same option, is 0\.9/,
  ],
  [
    'a decay of another schedule',
    { schedule: 'linear', decayRatio: 0.2 },
    'IFT_CONFIG_INVALID',
    /train\.decayRatio is an option of the schedule wsd/,
  ],
])('%s is refused', async (_name, settings, code, message) => {
  const refused = train(config('refused', settings))
  await expect(refused).rejects.toMatchObject({ code })
  await expect(refused).rejects.toThrow(message)
})

test('an unknown optimizer is told which ones there are', async () => {
  await expect(train(config('refused', { optimizer: 'adam' }))).rejects.toMatchObject({
    hint: expect.stringMatching(/adafactor.*adamw.*lion/) as string,
  })
})

test('wsd stays at its peak and decays at the end', async () => {
  await train(
    config('wsd', { schedule: 'wsd', maxSteps: 6, warmupSteps: 2, decaySteps: 2, learningRate: 1e-3 }),
  )
  const rates = metricsOf(join(dir, 'wsd')).map(({ values }) => values['learningRate']!)
  expect(rates).toEqual([5e-4, 1e-3, 1e-3, 1e-3, 1e-3, 5e-4])
})

test('a run says before it begins which of its steps learn nothing', async () => {
  const notes = (settings: Train) =>
    session(config('zero', settings), async (ift) => {
      const training = await ift.planTraining()
      training.release()
      return training.notes.filter((note) => note.includes('rate 0'))
    })
  expect(await notes({ learningRate: 1e-50, maxSteps: 3 })).toEqual([
    expect.stringMatching(/^steps 1 to 3 of 3 train at rate 0/),
  ])
  for (const schedule of ['linear', 'cosine', 'constant', 'wsd'] as const)
    expect(await notes({ schedule, maxSteps: 1 })).toEqual([])
})

test.each<[string, number]>([
  ['adamw', 2e-3],
  ['sgd', 0.2],
])('a gradient that is not finite does not reach the weights under %s', async (name, learningRate) => {
  await session(config(`spoilt-${name}`, { optimizer: name, learningRate }), async (ift) => {
    const training = await ift.createTraining()
    const { hooks, trained } = training.trainer
    hooks.gradients.tap('spoil', ({ trainable }, { step }) => {
      const gradient = trainable[0]!.parameter.gradient()
      if (step === 2) gradient.backend.write(gradient.buf, Float32Array.of(NaN))
    })
    await expect(training.run()).rejects.toMatchObject({ code: 'IFT_TRAIN_NONFINITE' })
    for (const { name, parameter } of trained.trainable)
      expect((await parameter.master.read()).every(Number.isFinite), name).toBe(true)
  })
})

test('a checkpoint of before optimizers had names is gone on with', async () => {
  const folder = join(dir, 'old')
  cpSync(fixture('cases/optimizer-checkpoint'), folder, { recursive: true })
  cpSync(fixture('bloom/tiny'), join(folder, 'm'), { recursive: true })
  writeFileSync(join(folder, 'd.jsonl'), rows(40))
  const old: IftConfig = {
    weights: './m',
    device: 'cpu',
    data: ['d.jsonl'],
    template: 'alpaca',
    peft: { method: 'lora', r: 2 },
    train: { batchSize: 8, maxSteps: 4, saveEvery: 2, weightDecay: 0.1, beta2: 0.99, learningRate: 0.01 },
    output: 'run',
  }
  const trainOld = trainsIn(sessionsIn(folder, [cpu, bloom, lora]))
  const other = trainOld({ ...old, train: { ...old.train, optimizer: 'lion' } }, { resume: true })
  await expect(other).rejects.toThrow('train.optimizer.name: was "adamw", is "lion"')
  const beta = trainOld({ ...old, train: { ...old.train, beta2: 0.9 } }, { resume: true })
  await expect(beta).rejects.toThrow('train.optimizer.beta2: was 0.99, is 0.9')
  expect(await trainOld(old, { resume: true })).toMatchObject({ steps: 4, reason: 'done' })
  const { tensors } = await openSafetensors(join(folder, 'expected.safetensors'))
  const found = await openAdapter(join(folder, 'run/adapter'))
  expect([...found.names()].sort()).toEqual([...tensors.keys()].sort())
  for (const [name, stored] of tensors) {
    const expected = await readValues(stored)
    const values = await found.read(name)
    for (const [i, value] of values.entries()) expect(value).toBeCloseTo(expected[i]!, 5)
  }
})

describe("a third party's optimizer", () => {
  for (const { name, run } of optimizerConformance(sgd, { backend: () => openCpu({ threads: 2 }) }))
    test(name, run)
})
