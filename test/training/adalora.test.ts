import { mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { openAdapter, type IftConfig } from '@ift/core'
import { plugin as cpu } from '@ift/kernels-cpu'
import { plugin as llama } from '@ift/model-llama'
import { plugin as adalora } from '@ift/peft-adalora'
import { worst } from '../fixture/golden.js'
import { quickstart } from '../fixture/files.js'
import { quickstartConfig } from '../fixture/quickstart.js'
import { adaptersApart } from '../fixture/ranks.js'
import { metricsOf, sessionsIn, trainsIn } from '../fixture/session.js'
import { copyModel, smallSizes } from '../fixture/small-model.js'

const dir = mkdtempSync(join(tmpdir(), 'ift-adalora-'))
const session = sessionsIn(dir, [cpu, llama, adalora])
const train = trainsIn(session)
const steps = 12
const rows = (limit: number) => [{ path: quickstart('data/bilingual.jsonl'), limit }]

interface More {
  readonly peft?: Readonly<Record<string, unknown>>
  readonly train?: NonNullable<IftConfig['train']>
}

const config = (
  output: string,
  { peft, train, ...more }: More & Omit<IftConfig, 'peft' | 'train'> = {},
): IftConfig => ({
  ...quickstartConfig,
  weights: './small',
  device: 'cpu',
  threads: 2,
  // Every step has the same rows.
  data: rows(4),
  maxLength: 96,
  peft: {
    ...{
      method: 'adalora',
      targetModules: 'all-linear',
      initR: 4,
      targetR: 2,
      tinit: 2,
      tfinal: 3,
      deltaT: 2,
      dropout: 0.1,
      alpha: 64,
    },
    ...peft,
  },
  train: {
    ...quickstartConfig.train,
    maxSteps: steps,
    saveEvery: 0,
    keepCheckpoints: 9,
    learningRate: 0.01,
    ...train,
  },
  generate: { maxNewTokens: 5 },
  output,
  ...more,
})

const bytes = (output: string, at = 'adapter') =>
  readFileSync(join(dir, output, at, 'adapter_model.safetensors'))

type Pattern = Readonly<Record<string, readonly boolean[]>>

async function patternOf(output: string, at = 'adapter'): Promise<Pattern | null> {
  const adapter = await openAdapter(join(dir, output, at))
  return adapter.config['rank_pattern'] as Pattern | null
}

const count = (pattern: Pattern) =>
  Object.values(pattern).reduce((sum, mask) => sum + mask.filter(Boolean).length, 0)

beforeAll(async () => {
  copyModel(join(dir, 'small'), { ...smallSizes, num_hidden_layers: 2 })
  await train(config('straight', { train: { saveEvery: 3 } }))
})

afterAll(() => {
  rmSync(dir, { recursive: true })
})

describe('a run', () => {
  test('learns, prunes to targetR on average, and says how many steps it had', async () => {
    const losses = metricsOf(join(dir, 'straight')).map(({ values }) => values['loss']! - values['penalty']!)
    expect(losses.at(-1)!).toBeLessThan(losses[0]! - 0.1)
    const pattern = (await patternOf('straight'))!
    const layers = Object.keys(pattern).length
    expect(count(pattern)).toBe(2 * layers)
    expect(new Set(Object.values(pattern).map((mask) => mask.filter(Boolean).length)).size).toBeGreaterThan(1)
    const { config: written } = await openAdapter(join(dir, 'straight/adapter'))
    expect(written).toMatchObject({ total_step: steps, init_r: 4, target_r: 2, peft_type: 'ADALORA' })
  })

  test('prunes step by step: the adapter of a checkpoint holds what is left then', async () => {
    expect(await patternOf('straight', 'checkpoints/step-3/adapter')).toBeNull()
    const [sixth, ninth, last] = await Promise.all(
      [6, 9, 12].map(async (step) => (await patternOf('straight', `checkpoints/step-${step}/adapter`))!),
    )
    const layers = Object.keys(last!).length
    expect(count(sixth!)).toBeLessThan(4 * layers)
    expect(count(ninth!)).toBeLessThan(count(sixth!))
    // Behind the last pruning nothing changes.
    expect(last).toEqual(ninth)
  })

  test.each([7, 10])(
    'cut at step %i, between the prunings and behind them, it ends in the same bytes',
    async (at) => {
      expect((await train(config(`cut-${at}`), { stopAfter: at })).reason).toBe('interrupted')
      expect((await train(config(`cut-${at}`), { resume: true })).reason).toBe('done')
      expect(bytes(`cut-${at}`).equals(bytes('straight'))).toBe(true)
      expect(await patternOf(`cut-${at}`)).toEqual(await patternOf('straight'))
    },
  )

  test('resumed when it is done, it is written again as it was', async () => {
    await train(config('again'))
    rmSync(join(dir, 'again/adapter'), { recursive: true })
    await train(config('again'), { resume: true })
    expect(bytes('again').equals(bytes('straight'))).toBe(true)
    const { config: written } = await openAdapter(join(dir, 'again/adapter'))
    expect(written['total_step']).toBe(steps)
  })

  test('recomputing changes no bit, and other micro-batches change little', async () => {
    await train(config('recomputed', { train: { recompute: 'all' } }))
    expect(bytes('recomputed').equals(bytes('straight'))).toBe(true)
    const plain = { peft: { dropout: 0 } }
    await train(config('whole', { ...plain, train: { microBatchTokens: 2000 } }))
    await train(config('split', { ...plain, train: { microBatchTokens: 160 } }))
    expect(await patternOf('split')).toEqual(await patternOf('whole'))
    const { worst, largest } = await adaptersApart(join(dir, 'split/adapter'), join(dir, 'whole/adapter'))
    expect(worst / largest).toBeLessThan(1e-3)
  })

  test('the best evaluation comes with the pattern of its step', async () => {
    const options: IftConfig['train'] = {
      evalEvery: 1,
      saveEvery: 0,
      loadBestAtEnd: true,
      learningRate: 1,
      schedule: 'constant',
    }
    const { bestEval } = await train(
      config('best', { train: options, data: rows(20), validation: { size: 12 } }),
    )
    expect(bestEval!.step).toBeLessThan(steps)
    const saved = `checkpoints/step-${bestEval!.step}/adapter`
    expect(bytes('best').equals(bytes('best', saved))).toBe(true)
    expect(await patternOf('best')).toEqual(await patternOf('best', saved))
    expect(await patternOf('best')).not.toEqual(await patternOf('best', `checkpoints/step-${steps}/adapter`))
  })

  test.each<[string, Omit<IftConfig, 'peft' | 'train'>]>([
    ['bf16', { dtype: 'bf16' }],
    ['nf4', { dtype: 'bf16', quantize: 'nf4' }],
    ['int8', { quantize: 'int8' }],
  ])('on a base in %s learns and prunes', async (name, more) => {
    await train(config(name, more))
    const losses = metricsOf(join(dir, name)).map(({ values }) => values['loss']! - values['penalty']!)
    expect(losses.at(-1)!).toBeLessThan(losses[0]! - 0.1)
    const pattern = (await patternOf(name))!
    expect(count(pattern)).toBe(2 * Object.keys(pattern).length)
  })

  test('without the penalty logs none', async () => {
    await train(config('free', { peft: { orthRegWeight: 0 }, train: { maxSteps: 6 } }))
    expect(metricsOf(join(dir, 'free')).every(({ values }) => !('penalty' in values))).toBe(true)
    expect(await patternOf('free')).not.toBeNull()
  })
})

describe('a pruned adapter', () => {
  const using = (output: string, more: More = {}) =>
    config(output, { ...more, adapter: join(dir, 'straight/adapter') })

  test('scores the same merged', async () => {
    const ids = [1, 300, 301, 302, 303]
    const scores = await session(using('unused'), async (ift) => (await ift.createGenerator()).score(ids))
    const base = await session(config('unused'), async (ift) => (await ift.createGenerator()).score(ids))
    expect(worst(scores.slice(1).map(Number), base.slice(1).map(Number))).toBeGreaterThan(0.01)
    await session(using('unused'), (ift) => ift.merge('merged'))
    const merged = config('unused', { weights: join(dir, 'merged'), initialize: false })
    const again = await session(merged, async (ift) => (await ift.createGenerator()).score(ids))
    for (let i = 1; i < ids.length; i++) expect(again[i]).toBeCloseTo(scores[i]!, 4)
  })

  test('is trained on with what is left of it, to a lower target', async () => {
    await train(using('same', { peft: { tinit: 1, tfinal: 1 } }))
    const before = (await patternOf('straight'))!
    expect(await patternOf('same')).toEqual(before)
    expect(bytes('same').equals(bytes('straight'))).toBe(false)
    await train(using('lower', { peft: { targetR: 1 } }))
    const after = (await patternOf('lower'))!
    expect(count(after)).toBe(Object.keys(after).length)
    for (const [layer, mask] of Object.entries(after))
      for (const [i, kept] of mask.entries()) expect(kept && !before[layer]![i]).toBe(false)
  })
})

test('a schedule that leaves no step to prune in is refused with its numbers', async () => {
  const refused = train(config('refused', { peft: { tinit: 10 } }))
  await expect(refused).rejects.toMatchObject({ code: 'IFT_PEFT_OPTIONS' })
  await expect(refused).rejects.toThrow(
    'peft.tinit should be below the steps of the run less peft.tfinal, 12 - 3 = 9; found 10.',
  )
})

test('a run of one step prunes nothing', async () => {
  await train(config('one', { peft: { tinit: 0, tfinal: 0 }, train: { maxSteps: 1 } }))
  expect(await patternOf('one')).toBeNull()
})

test('the plan counts the sensitivities', async () => {
  const { bytes, elements } = await session(config('plan'), async (ift) => {
    const planned = await ift.planTraining()
    const { plan, trainable } = planned
    planned.release()
    return { bytes: plan.training, elements: trainable }
  })
  // f32 values, gradients, AdamW's two moments, mean and deviation; every parameter begins at a multiple of 128 bytes.
  expect(bytes / elements).toBeGreaterThanOrEqual(24)
  expect(bytes / elements).toBeLessThan(25)
})
