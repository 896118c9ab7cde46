import { existsSync, mkdtempSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest'
import { Ift, type IftConfig } from '@ift/core'
import { ablate, plugin as evaluation, type AblationReport, type AblationRequest } from '@ift/eval'
import { plugin as cpu } from '@ift/kernels-cpu'
import { plugin as llama } from '@ift/model-llama'
import { plugin as lora } from '@ift/peft-lora'
import { quickstart } from '../fixture/files.js'

const dir = mkdtempSync(join(tmpdir(), 'ift-ablate-'))
const plugins = [cpu, llama, lora, evaluation]
const at = (...path: string[]) => join(dir, ...path)
const lines = readFileSync(quickstart('data/bilingual.jsonl'), 'utf8').trimEnd().split('\n')
const isChinese = (line: string) => /\p{Script=Han}/u.test(line)

const config: IftConfig = {
  ...{ weights: quickstart('model'), template: 'alpaca', dtype: 'f32', device: 'cpu', threads: 1 },
  ...{ maxLength: 160, peft: { method: 'lora', r: 4 } },
  data: [
    { path: 'english.jsonl', tags: ['lang:en'] },
    { path: 'chinese.jsonl', tags: ['lang:zh', 'short'] },
  ],
  train: { batchSize: 4, maxSteps: 4, saveEvery: 2, microBatchTokens: 480, learningRate: 3e-3, seed: 5 },
  output: 'out',
}

const task = async (ift: Ift, name: string, options: object) => ({
  ...{ task: await ift.task(name), data: at('test.jsonl'), options, limit: 8, maxNewTokens: 8 },
})
const tasks: AblationRequest['tasks'] = async (ift) => [
  await task(ift, 'exact', { by: 'language' }),
  await task(ift, 'loss', { by: 'language' }),
]

const notes: string[] = []
const steps: string[] = []
const run = (request: Partial<AblationRequest> = {}, change: IftConfig = {}, signal?: AbortSignal) =>
  ablate(
    { cwd: dir, config: { ...config, ...change }, plugins },
    { drop: ['lang:zh'], tasks, ...request },
    {
      signal,
      note: (text) => notes.push(text),
      step: (arm, seed, step) => steps.push(`${arm} ${seed} ${step}`),
      evaluated: () => undefined,
    },
  )

beforeAll(() => {
  const [english, chinese] = [lines.filter((line) => !isChinese(line)), lines.filter(isChinese)]
  writeFileSync(at('english.jsonl'), english.slice(8).join('\n'))
  writeFileSync(at('chinese.jsonl'), chinese.slice(8, 30).join('\n'))
  const tagged = (language: string) => (line: string) =>
    JSON.stringify({ ...(JSON.parse(line) as object), language })
  writeFileSync(
    at('test.jsonl'),
    [...english.slice(0, 8).map(tagged('en')), ...chinese.slice(0, 8).map(tagged('zh'))].join('\n'),
  )
})
afterAll(() => {
  rmSync(dir, { recursive: true })
})
beforeEach(() => {
  notes.length = 0
  steps.length = 0
})

describe('an ablation', () => {
  let first: AblationReport
  test('trains the whole and the whole without a part for as many steps, and compares them', async () => {
    const done = await run()
    first = done!.report
    expect(JSON.parse(readFileSync(done!.json, 'utf8'))).toEqual(first)
    expect(readFileSync(done!.html, 'utf8')).toContain('without lang:zh')
    const [whole, other] = first.arms
    expect(whole!.runs[0]).toMatchObject({ seed: 5, steps: 4, dir: 'all/seed-5' })
    expect(other).toMatchObject({ name: 'without lang:zh', changed: ['chinese.jsonl'] })
    expect(other!.runs[0]).toMatchObject({ steps: 4, dir: 'without-lang-zh/seed-5' })
    expect(whole!.runs[0]!.mixture.map(({ name }) => name)).toEqual(['english.jsonl', 'chinese.jsonl'])
    expect(other!.runs[0]!.mixture.map(({ name }) => name)).toEqual(['english.jsonl'])
    const losses = first.cells.filter(({ task: name }) => name === 'loss')
    expect(losses.map(({ n }) => n)).toEqual([8, 8])
    expect(Object.keys(losses[0]!.groups)).toEqual(['en', 'zh'])
    expect(losses[1]!.difference).toMatchObject({ n: 8, test: 'swap' })
    expect(losses[1]!.difference!.mean).toBeCloseTo(losses[1]!.mean! - losses[0]!.mean!, 9)
    expect(JSON.stringify(first)).not.toContain(dir)
  })

  test('that is finished is kept, and another part is added to it', async () => {
    const before = statSync(at('out/all/seed-5/adapter/adapter_model.safetensors')).mtimeMs
    const { report } = (await run({ drop: ['lang:zh', 'english'] }))!
    expect(steps.every((step) => step.startsWith('without english'))).toBe(true)
    expect(notes.filter((note) => note.endsWith(', kept'))).toHaveLength(2)
    expect(statSync(at('out/all/seed-5/adapter/adapter_model.safetensors')).mtimeMs).toBe(before)
    // The same samples give the same numbers; p alone depends on how many are compared.
    const numbers = (cells: AblationReport['cells']) =>
      cells
        .filter(({ arm }) => arm !== 'without english')
        .map(({ mean, difference }) => [mean, difference?.mean])
    expect(numbers(report.cells)).toEqual(numbers(first.cells))
  })

  test('with another config is refused', async () => {
    await expect(run({}, { peft: { method: 'lora', r: 2 } })).rejects.toMatchObject({
      code: 'IFT_RESUME_CONFIG',
      message: expect.stringContaining('another config') as string,
    })
    await expect(run({ equal: 'epochs' })).rejects.toThrow('equal epochs are asked for')
  })
})

test('what was interrupted goes on from its checkpoint', async () => {
  const stop = new AbortController()
  const interrupted = ablate(
    { cwd: dir, config: { ...config, output: 'stopped' }, plugins },
    { drop: ['lang:zh'], tasks },
    {
      signal: stop.signal,
      note: () => undefined,
      evaluated: () => undefined,
      step(arm, _seed, step) {
        if (arm !== 'all' && step === 2) stop.abort()
      },
    },
  )
  expect(await interrupted).toBeNull()
  expect(existsSync(at('stopped/ablation.json'))).toBe(false)
  const { report } = (await run({}, { output: 'stopped' }))!
  expect(steps[0]).toMatch(/^without lang:zh 5 [34]$/)
  const straight = JSON.parse(readFileSync(at('out/ablation.json'), 'utf8')) as AblationReport
  const loss = (of: AblationReport) =>
    of.arms.find(({ name }) => name === 'without lang:zh')!.runs[0]!.finalLoss
  expect(loss(report)).toBe(loss(straight))
})

test('equal tokens and equal epochs change the number of steps', async () => {
  const stepsOf = async (equal: 'tokens' | 'epochs') => {
    const { report } = (await run(
      { equal, tasks: async (ift) => [await task(ift, 'loss', {})] },
      { output: equal },
    ))!
    return report.arms.map(({ runs }) => runs[0]!)
  }
  const [whole, half] = await stepsOf('epochs')
  expect(half!.steps).toBeLessThan(whole!.steps)
  expect(half!.epochs).toBeCloseTo(whole!.epochs, 1)
  const [all, other] = await stepsOf('tokens')
  expect(Math.abs(other!.tokens - all!.tokens)).toBeLessThan(all!.tokens / all!.steps)
})

test('what the command line says of the length and the seed holds for all runs', async () => {
  const done = await ablate(
    {
      ...{ cwd: dir, config: { ...config, output: 'unused' }, plugins },
      flags: { 'train.maxSteps': ['1'], 'train.seed': ['8'], output: ['flags'] },
    },
    { drop: ['lang:zh'], tasks: async (ift) => [await task(ift, 'loss', {})] },
    { note: () => undefined, step: () => undefined, evaluated: () => undefined },
  )
  expect(done!.json).toBe(at('flags/ablation.json'))
  expect(done!.report.arms.map(({ runs }) => [runs[0]!.seed, runs[0]!.steps])).toEqual([
    [8, 1],
    [8, 1],
  ])
})

test.each([
  ['nothing', { drop: [] }, 'Nothing is left out'],
  ['a word that means no data', { drop: ['lang:fr'] }, '--drop lang:fr means none of the data'],
  ['all of it', { drop: ['short'], add: [] }, 'means all of the data'],
  ['a part twice', { drop: ['short', 'short'] }, 'stands there twice'],
])('%s is refused', async (_, request, message) => {
  const data = message.includes('all of') ? { data: [{ path: 'chinese.jsonl', tags: ['short'] }] } : {}
  await expect(run(request, { output: 'refused', ...data })).rejects.toMatchObject({
    code: 'IFT_USAGE',
    message: expect.stringContaining(message) as string,
  })
  expect(existsSync(at('refused'))).toBe(false)
})
