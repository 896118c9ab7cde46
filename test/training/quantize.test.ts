import { existsSync, mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import type { IftConfig, Merged } from '@ift/core'
import { plugin as cpu } from '@ift/kernels-cpu'
import { plugin as llama } from '@ift/model-llama'
import { plugin as lora } from '@ift/peft-lora'
import { QuantizedLinear } from '@ift/tensor'
import { quickstart } from '../fixture/files.js'
import { quickstartConfig } from '../fixture/quickstart.js'
import { sessionsIn, trainsIn } from '../fixture/session.js'

const dir = mkdtempSync(join(tmpdir(), 'ift-quantize-'))
afterAll(() => {
  rmSync(dir, { recursive: true })
})

const config = (output: string, more: Partial<IftConfig> = {}): IftConfig => ({
  ...quickstartConfig,
  weights: join(dir, 'base', 'model'),
  initialize: false,
  device: 'cpu',
  threads: 2,
  train: { ...quickstartConfig.train, maxSteps: 4, learningRate: 1e-2 },
  generate: { maxNewTokens: 5 },
  output,
  ...more,
})

const session = sessionsIn(dir, [cpu, llama, lora])
const train = trainsIn(session)

const adapter = (output: string) => readFileSync(join(dir, output, 'adapter', 'adapter_model.safetensors'))
const ids = Array.from({ length: 24 }, (_, i) => 300 + ((i * 37) % 200))

const scoresOf = (options: IftConfig) =>
  session(options, async (ift) => {
    const generator = await ift.createGenerator()
    const { text } = await generator.generate({ instruction: 'Hi', input: '' }, { maxNewTokens: 6 })
    return { scores: (await generator.score(ids)).slice(1) as number[], text }
  })

const merge = (options: IftConfig, to: string): Promise<Merged> => session(options, (ift) => ift.merge(to))

/** Where the model of a merge, or an adapter on its base, stands. */
const merged = (folder: string) => config('unused', { weights: join(dir, folder), peft: { method: 'none' } })

const worst = (a: readonly number[], b: readonly number[]) =>
  Math.max(...a.map((value, i) => Math.abs(value - b[i]!)))

beforeAll(async () => {
  // Weights to start from: the quickstart's shapes after a few steps from random values.
  const weights = quickstart('model')
  await train(config('base', { weights, initialize: true, peft: { method: 'none' } }))
})

describe.each(['nf4', 'int8'] as const)('%s', (quantize) => {
  beforeAll(async () => {
    await train(config(quantize, { quantize }))
  })

  const used = (more: Partial<IftConfig> = {}) =>
    config('unused', { adapter: join(dir, quantize, 'adapter'), ...more })

  test('the plan is smaller by the weights that are held in few bits', async () => {
    const plan = (options: IftConfig) =>
      session(options, async (ift) => {
        const { plan, open } = await ift.planTraining()
        const quantized = [...open.model.namedModules()].filter(
          ([, module]) => module instanceof QuantizedLinear,
        )
        expect(quantized.map(([path]) => path).filter((path) => path.includes('lm_head'))).toEqual([])
        return { plan, count: quantized.length, layers: open.shape.layers }
      })
    const [plain, few] = [await plan(config('unused')), await plan(config('unused', { quantize }))]
    expect(plain.count).toBe(0)
    expect(few.count).toBe(7 * few.layers)
    expect(few.plan.weights).toBeLessThan(plain.plan.weights)
    expect(few.plan.training).toBe(plain.plan.training)
  })

  test('manifest and adapter say how the base was held, and the adapter is used on that base', async () => {
    const manifest = JSON.parse(readFileSync(join(dir, quantize, 'manifest.json'), 'utf8')) as {
      config: Record<string, unknown>
    }
    expect(manifest.config['quantize']).toBe(quantize)
    const record = JSON.parse(readFileSync(join(dir, quantize, 'adapter', 'ift.json'), 'utf8')) as object
    expect(record).toMatchObject({ quantize })
    await session(used(), async (ift) => {
      expect((await ift.openModel()).quantize).toBe(quantize)
    })
    await session(used({ quantize: 'none' }), async (ift) => {
      expect((await ift.openModel()).quantize).toBe('none')
    })
  })

  test('a run that was cut and resumed gives the same adapter', async () => {
    const output = `${quantize}-cut`
    await train(config(output, { quantize }), { stopAfter: 2 })
    await train(config(output, { quantize }), { resume: true })
    expect(adapter(output).equals(adapter(quantize))).toBe(true)
    await expect(train(config(output), { resume: true })).rejects.toThrow(/quantize: was/)
  })

  test('merged onto the values of its codes it scores the same, onto the original weights another thing', async () => {
    const before = await scoresOf(used())
    const result = await merge(used(), `${quantize}-merged`)
    expect(result).toMatchObject({ quantize, dtype: 'f32', dir: join(dir, `${quantize}-merged`) })
    expect(result.logitDifference).toBeLessThan(1e-3)
    const after = await scoresOf(merged(`${quantize}-merged`))
    expect(worst(after.scores, before.scores)).toBeLessThan(3e-5)
    expect(after.text).toBe(before.text)
    const original = await merge(used({ quantize: 'none' }), `${quantize}-original`)
    expect(original.quantize).toBe('none')
    const other = await scoresOf(merged(`${quantize}-original`))
    expect(worst(other.scores, before.scores)).toBeGreaterThan(1e-4)
  })

  test('a step on quantised weights is the step on their values', async () => {
    // A LoRA that merges to nothing: its base alone, as plain numbers.
    const still = {
      peft: { method: 'lora', r: 4 },
      train: { ...config('').train, maxSteps: 1, learningRate: 1e-30 },
    }
    await train(config(`${quantize}-still`, { quantize, ...still }))
    const options = config('unused', { adapter: join(dir, `${quantize}-still`, 'adapter') })
    expect((await merge(options, `${quantize}-values`)).logitDifference).toBeLessThan(1e-5)
    const weights = join(dir, `${quantize}-values`)
    await train(config(`${quantize}-plain`, { weights }))
    // In int8 the inputs of products are rounded too.
    expect(adapter(`${quantize}-plain`).equals(adapter(quantize))).toBe(quantize === 'nf4')
  })
})

test('what cannot be quantised says so', async () => {
  await expect(train(config('x', { quantize: 'nf4', peft: { method: 'none' } }))).rejects.toMatchObject({
    code: 'IFT_QUANTIZED',
  })
  const pissa = { method: 'lora', init: 'pissa' }
  await expect(train(config('x', { quantize: 'nf4', peft: pissa }))).rejects.toMatchObject({
    code: 'IFT_PEFT_OPTIONS',
  })
  const whole = { method: 'lora', modulesToSave: ['gate_proj'] }
  await expect(train(config('x', { quantize: 'int8', peft: whole }))).rejects.toMatchObject({
    code: 'IFT_QUANTIZED',
  })
  await expect(train(config('x', { quantize: 'nf3' as 'nf4' }))).rejects.toMatchObject({
    code: 'IFT_CONFIG_INVALID',
  })
  expect(existsSync(join(dir, 'x'))).toBe(false)
})
