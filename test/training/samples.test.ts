// train.samples: answers to the same prompts while a model learns, which change nothing of the training.
import { existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { definePlugin, type IftConfig, type SampledAnswer } from '@ift/core'
import { plugin as cpu } from '@ift/kernels-cpu'
import { plugin as llama } from '@ift/model-llama'
import { plugin as lora } from '@ift/peft-lora'
import { quickstart, readLines } from '../fixture/files.js'
import { quickstartConfig } from '../fixture/quickstart.js'
import { metricsOf, sessionsIn, trainsIn } from '../fixture/session.js'

const dir = mkdtempSync(join(tmpdir(), 'ift-samples-'))
afterAll(() => {
  rmSync(dir, { recursive: true })
})
const session = sessionsIn(dir, [cpu, llama, lora])
const train = trainsIn(session)

type Samples = NonNullable<NonNullable<IftConfig['train']>['samples']>

const config = (output: string, samples: Samples, more: Partial<IftConfig> = {}): IftConfig => ({
  ...quickstartConfig,
  initialize: false,
  device: 'cpu',
  threads: 2,
  validation: { size: 6 },
  output,
  ...more,
  train: {
    ...quickstartConfig.train,
    learningRate: 0.02,
    samples: { maxNewTokens: 8, every: 2, ...samples },
  },
})

const file = (output: string, name: string) => readFileSync(join(dir, output, name))
const adapter = (output: string) => file(output, 'adapter/adapter_model.safetensors')
const answersOf = (output: string) => readLines<SampledAnswer>(join(dir, output, 'samples.jsonl'))
const json = (output: string, name: string) => JSON.parse(file(output, name).toString()) as unknown

const texts = ['Tom has 3 apples and buys 4 more. How many has he?', 'x'.repeat(4000)]

beforeAll(async () => {
  await train(config('without', { prompts: 0 }))
  await train(config('with', { prompts: 3 }))
  await train(config('texts', { prompts: texts, every: 3 }))
}, 180_000)

test('a run with samples has the adapter of one without, byte for byte', () => {
  expect(existsSync(join(dir, 'without/samples.jsonl'))).toBe(false)
  expect(adapter('with').equals(adapter('without'))).toBe(true)
  expect(adapter('texts').equals(adapter('without'))).toBe(true)
})

test('prompts of validation data are answered before the first step, every so many steps and at the end', async () => {
  const answers = answersOf('with')
  expect(answers.map(({ step, index }) => [step, index])).toEqual(
    [0, 2, 4, 6].flatMap((step) => [0, 1, 2].map((index) => [step, index])),
  )
  const [first] = answers
  expect(first!.prompt).toContain('Instruction:')
  expect(first!.expected).toMatch(/\S/)
  expect(
    new Set(answers.filter(({ index }) => index === 0).map(({ answer }) => answer)).size,
  ).toBeGreaterThan(1)
  for (const { ended, tokens } of answers) {
    expect(['end', 'length']).toContain(ended)
    expect(tokens).toBeLessThanOrEqual(8)
  }
  // The last ones are the answers of the result.
  const last = answersOf('texts').filter(({ step }) => step === 6)
  const alone: IftConfig = {
    ...{ weights: quickstart('model'), template: 'alpaca', dtype: 'f32', device: 'cpu' },
    adapter: join(dir, 'texts/adapter'),
  }
  await session(alone, async (ift) => {
    const generator = await ift.createGenerator()
    const { text } = await generator.generate({ instruction: texts[0]!, input: '' }, { maxNewTokens: 8 })
    expect(last[0]!.answer).toBe(text)
  })
})

test('a prompt that is refused says why, and the others are answered', () => {
  expect(answersOf('texts').map(({ step, index, ended }) => [step, index, ended])).toEqual(
    [0, 3, 6].flatMap((step) => [
      [step, 0, 'length'],
      [step, 1, 'error'],
    ]),
  )
  expect(answersOf('texts')[1]!.answer).toMatch(/positions|tokens/)
})

test('equal runs have equal files, and one that was interrupted and resumed has no line twice', async () => {
  const cut = config('cut', { prompts: 3 })
  expect(await train(cut, { stopAfter: 3 })).toMatchObject({ reason: 'interrupted' })
  const before = answersOf('cut').map(({ step }) => step)
  expect(new Set(before)).toEqual(new Set([0, 2]))
  await train(cut, { resume: true })
  expect(file('cut', 'samples.jsonl').equals(file('with', 'samples.jsonl'))).toBe(true)
  expect(adapter('cut').equals(adapter('without'))).toBe(true)
})

test('an interrupt while prompts are answered leaves them to the run that goes on', async () => {
  const cut = config('cut-inside', { prompts: 3 })
  await train(cut, { stopAfter: 4 })
  // Of step 4 the signal was there before its prompts were answered.
  await train(cut, { resume: true })
  expect(file('cut-inside', 'samples.jsonl').equals(file('with', 'samples.jsonl'))).toBe(true)
})

test('prompts of a file: the answer of the data is not shown to the model', async () => {
  writeFileSync(
    join(dir, 'prompts.jsonl'),
    [
      {
        messages: [
          { role: 'user', content: texts[0] },
          { role: 'assistant', content: 'seven' },
        ],
      },
      {
        messages: [
          { role: 'user', content: 'Hi' },
          { role: 'assistant', content: 'Hello' },
        ],
      },
    ]
      .map((line) => `${JSON.stringify(line)}\n`)
      .join(''),
  )
  await train(config('file', { file: 'prompts.jsonl', every: 6 }, { validation: { size: 0 } }))
  const answers = answersOf('file').filter(({ step }) => step === 6)
  expect(answers.map(({ prompt, expected }) => [prompt, expected])).toEqual([
    [texts[0], 'seven'],
    ['Hi', 'Hello'],
  ])
})

test('each logged step has its memory and its time; plan.json and result.json say what was planned and how it ended', () => {
  const steps = metricsOf(join(dir, 'with')).filter(({ kind }) => kind === 'train')
  let elapsed = 0
  for (const { values } of steps) {
    expect(values['memory']).toBeGreaterThan(0)
    expect(values['peakMemory']).toBeGreaterThanOrEqual(values['memory']!)
    expect(values['seconds']).toBeGreaterThan(0)
    expect(values['elapsed']).toBeGreaterThan(elapsed)
    elapsed = values['elapsed']!
  }
  expect(json('with', 'plan.json')).toMatchObject({
    ...{ steps: 6, heldOut: 6, samplesEvery: 2, saveEvery: 2, evalEvery: 0, logEvery: 1 },
    memory: { fits: true },
    learningRates: { steps: [1, 2, 3, 4, 5, 6] },
  })
  expect(json('without', 'plan.json')).toMatchObject({ samplesEvery: null })
  expect(json('with', 'result.json')).toMatchObject({ reason: 'done', steps: 6 })
  const report = file('with', 'report.html').toString()
  expect(report).toContain('Answers while training')
  expect(report).toContain('<h2>Memory</h2>')
})

test('a run that fails says so in result.json, and one that goes on forgets it', async () => {
  const fails = definePlugin('fails', ({ hooks }) => {
    hooks.trainer.tap('fails', (trainer) => {
      trainer.hooks.step.tap('fails', ({ step }) => {
        if (step === 4) throw new Error('the disk is on fire')
      })
    })
  })
  const broken = sessionsIn(dir, [cpu, llama, lora, fails])
  await expect(trainsIn(broken)(config('fails', { prompts: 0 }))).rejects.toThrow('the disk is on fire')
  expect(json('fails', 'result.json')).toMatchObject({
    reason: 'failed',
    error: { code: 'IFT_PLUGIN_FAILED', message: expect.stringContaining('the disk is on fire') as string },
  })
  await train(config('fails', { prompts: 0 }), { resume: true })
  expect(json('fails', 'result.json')).toMatchObject({ reason: 'done' })
})

test('prompts that there are none of are refused before the run', async () => {
  const none = { validation: { size: 0 } }
  await expect(train(config('none', { prompts: 3 }, none))).rejects.toMatchObject({
    code: 'IFT_CONFIG_INVALID',
    message: expect.stringContaining(
      'train.samples: prompts: 3 are to be taken of validation data',
    ) as string,
  })
  writeFileSync(join(dir, 'text.jsonl'), '{"text": "no prompt"}\n')
  await expect(train(config('none', { file: 'text.jsonl' }, none))).rejects.toMatchObject({
    message: expect.stringContaining('expected records with a prompt') as string,
  })
})
