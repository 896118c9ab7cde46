import {
  existsSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  truncateSync,
  writeFileSync,
} from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { beforeAll, describe, expect, test, vi } from 'vitest'
import { Ift, type IftConfig, type TrainResult } from '@ift/core'
import { plugin as cpu } from '@ift/kernels-cpu'
import { plugin as llama } from '@ift/model-llama'
import { plugin as lora } from '@ift/peft-lora'
import { quickstartConfig } from '../fixture/quickstart.js'
import { metricsOf, sessionsIn, trainsIn } from '../fixture/session.js'

const dir = mkdtempSync(join(tmpdir(), 'ift-session-'))

const config = (output: string, more: Partial<IftConfig> = {}): IftConfig => ({
  ...quickstartConfig,
  model: 'llama',
  device: 'cpu',
  threads: 2,
  generate: { maxNewTokens: 5 },
  output,
  ...more,
})

const plugins = [cpu, llama, lora]
const session = sessionsIn(dir, plugins)
const train = trainsIn(session)

const adapter = (output: string) => readFileSync(join(dir, output, 'adapter', 'adapter_model.safetensors'))

let straight: TrainResult

beforeAll(async () => {
  straight = await train(config('straight'))
})

describe('a run', () => {
  test('leaves its folder whole', () => {
    expect(straight).toMatchObject({ steps: 6, reason: 'done' })
    for (const name of [
      'manifest.json',
      'metrics.jsonl',
      'report.html',
      'adapter/adapter_config.json',
      'adapter/ift.json',
    ])
      expect(existsSync(join(dir, 'straight', name)), name).toBe(true)
    expect(metricsOf(join(dir, 'straight')).map(({ step }) => step)).toEqual([1, 2, 3, 4, 5, 6])
  })

  test('measured before it begins, it ends in the same bytes', async () => {
    await session(config('measured'), async (ift) => {
      const training = await ift.createTraining()
      const { secondsPerStep, rowsPerSecond } = await training.measure()
      expect(secondsPerStep).toBeGreaterThan(0)
      expect(rowsPerSecond).toBeGreaterThan(0)
      await training.run()
    })
    expect(adapter('measured')).toEqual(adapter('straight'))
  })

  test('interrupted and resumed it ends in the same bytes', async () => {
    expect((await train(config('cut'), { stopAfter: 2 })).reason).toBe('interrupted')
    expect((await train(config('cut'), { resume: true })).reason).toBe('done')
    expect(adapter('cut').equals(adapter('straight'))).toBe(true)
  })

  test('a damaged checkpoint is passed over, and the one before it gives the same bytes', async () => {
    await train(config('damaged'))
    truncateSync(join(dir, 'damaged', 'checkpoints', 'step-6', 'optimizer.safetensors'), 100)
    rmSync(join(dir, 'damaged', 'adapter'), { recursive: true })
    await train(config('damaged'), { resume: true })
    expect(adapter('damaged').equals(adapter('straight'))).toBe(true)
  })

  test('recomputing changes no bit', async () => {
    const { train: settings } = config('')
    await train(config('recomputed', { train: { ...settings, recompute: 'all' } }))
    expect(adapter('recomputed').equals(adapter('straight'))).toBe(true)
  })

  test('a changed option is refused by name, a second run in the folder too', async () => {
    const { train: settings } = config('')
    const changed = train(config('straight', { train: { ...settings, learningRate: 2e-3 } }), {
      resume: true,
    })
    await expect(changed).rejects.toMatchObject({ code: 'IFT_RESUME_CONFIG' })
    await expect(changed).rejects.toThrow('train.learningRate: was 0.001, is 0.002')
    await expect(train(config('straight'))).rejects.toMatchObject({ code: 'IFT_RUN_EXISTS' })
  })
})

test('the best evaluation is what comes out, also of a run that was cut', async () => {
  // A rate at which the loss soon rises again.
  const best = (output: string, evalEvery = 1) =>
    config(output, {
      validation: { size: 12 },
      train: {
        ...config('').train,
        evalEvery,
        saveEvery: 0,
        keepCheckpoints: 1,
        learningRate: 0.4,
        schedule: 'constant',
        loadBestAtEnd: true,
      },
    })
  const result = await train(best('best'))
  const losses = metricsOf(join(dir, 'best')).filter(({ kind }) => kind === 'eval')
  const lowest = losses.reduce((low, line) => (line.values['loss']! < low.values['loss']! ? line : low))
  expect(losses).toHaveLength(6)
  expect(lowest.step).toBeLessThan(6)
  expect(result.bestEval?.step).toBe(lowest.step)
  const saved = (step: number) =>
    readFileSync(join(dir, 'best', 'checkpoints', `step-${step}`, 'adapter', 'adapter_model.safetensors'))
  expect(adapter('best').equals(saved(lowest.step))).toBe(true)
  expect(adapter('best').equals(saved(6))).toBe(false)
  await train(best('best-cut'), { stopAfter: 4 })
  await train(best('best-cut'), { resume: true })
  expect(adapter('best-cut').equals(adapter('best'))).toBe(true)
  await expect(train(best('best-none', 0))).rejects.toMatchObject({ code: 'IFT_CONFIG_INVALID' })
})

describe('a trained adapter', () => {
  const using = (more: Partial<IftConfig>) => config('unused', more)

  test('brings its template, and merged it scores the same', async () => {
    await train(config('full', { peft: { method: 'none' } }))
    const weights = join(dir, 'full', 'model')
    await train(config('onto', { weights, initialize: false }))
    const options = using({ weights, initialize: false, adapter: join(dir, 'onto', 'adapter') })
    delete options.template
    const ids = [1, 300, 301, 302, 303]
    const [scores, text] = await session(options, async (ift) => {
      const open = await ift.openModel()
      expect(open.template.name).toBe('alpaca')
      const generator = await ift.createGenerator(open)
      return [
        await generator.score(ids),
        (await generator.generate({ instruction: 'Hi', input: '' }, { maxNewTokens: 5 })).text,
      ]
    })
    await session(options, (ift) => ift.merge('merged'))
    const merged = using({ weights: join(dir, 'merged'), initialize: false })
    await session(merged, async (ift) => {
      const generator = await ift.createGenerator()
      const again = await generator.score(ids)
      expect(again[0]).toBeNull()
      for (let i = 1; i < ids.length; i++) expect(again[i]).toBeCloseTo(scores[i]!, 4)
      expect((await generator.generate({ instruction: 'Hi', input: '' }, { maxNewTokens: 5 })).text).toBe(
        text,
      )
    })
  })

  test('two sessions live side by side, and closing frees every buffer', async () => {
    const [a, b] = await Promise.all([1, 2].map(() => Ift.load({ cwd: dir, config: using({}), plugins })))
    const [first, second] = await Promise.all([a!.createGenerator(), b!.createGenerator()])
    const ids = [1, 5, 6]
    expect(await first.score(ids)).toEqual(await second.score(ids))
    await first.release()
    const backend = await a!.openBackend()
    const before = backend.memory().buffers
    expect(before).toBeGreaterThan(0)
    await a!.close()
    expect(await second.score(ids)).toHaveLength(3)
    await b!.close()
  })
})

describe('what nobody taps costs nothing', () => {
  const kept = () => readdirSync(join(dir, '.ift-cache'))
  const hash = (options: IftConfig, tap?: (ift: Ift) => void) =>
    session(options, async (ift) => {
      tap?.(ift)
      return (await ift.openData()).data.hash
    })

  test('tokenised samples are kept, and not when a plugin may change them', async () => {
    const options = config('kept', { maxLength: 90 })
    const others = kept()
    const first = await hash(options)
    const [made] = kept().filter((name) => !others.includes(name))
    expect(made).toMatch(/\.samples$/)
    expect(await hash(options)).toBe(first)
    const count = kept().length
    const changed = await hash({ ...options, maxLength: 91 }, (ift) =>
      ift.hooks.sample.tap('drop', (sample) => (sample && sample.ids.length > 60 ? null : sample)),
    )
    expect(changed).not.toBe(first)
    expect(kept()).toHaveLength(count)
  })

  test('greedy tokens are chosen on the device, and from whole rows when a plugin looks at them', async () => {
    const answer = (tap: boolean) =>
      session(config('untapped'), async (ift) => {
        const seen: number[] = []
        if (tap) ift.hooks.logits.tap('look', (scores) => seen.push(scores.length))
        const backend = await ift.openBackend()
        const topRows = vi.spyOn(backend, 'topRows')
        const generator = await ift.createGenerator()
        const { ids } = await generator.generate('1 + 1 =', { maxNewTokens: 4, minNewTokens: 4 })
        return { ids, seen: seen.length, topRows: topRows.mock.calls.length }
      })
    const [plain, looked] = [await answer(false), await answer(true)]
    expect(plain).toMatchObject({ seen: 0, topRows: 4 })
    expect(looked).toMatchObject({ seen: 4, topRows: 0 })
    expect(looked.ids).toEqual(plain.ids)
  })
})

test('bad input ends in an error that names it', async () => {
  writeFileSync(
    join(dir, 'broken.jsonl'),
    '{"instruction": "a", "input": "", "output": "b"}\n{"instruction": \n',
  )
  await expect(train(config('x', { data: ['./broken.jsonl'] }))).rejects.toThrow('broken.jsonl:2')
  await expect(train(config('x', { weights: './nowhere' }))).rejects.toMatchObject({
    code: 'IFT_SOURCE_NOT_FOUND',
  })
  await expect(
    train(config('x', { peft: { method: 'lora', targetModules: ['query'] } })),
  ).rejects.toMatchObject({
    code: 'IFT_PEFT_TARGET',
  })
  await expect(train(config('x', { peft: { method: 'lora', rnk: 3 } }))).rejects.toThrow('peft.rnk')
})
