// Tasks that a run is evaluated on while it trains.
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { defineTask, type IftConfig, type IftError, type TaskDefinition } from '@ift/core'
import { plugin as evaluation } from '@ift/eval'
import { plugin as cpu } from '@ift/kernels-cpu'
import { plugin as llama } from '@ift/model-llama'
import { plugin as lora } from '@ift/peft-lora'
import { quickstart } from '../fixture/files.js'
import { quickstartConfig } from '../fixture/quickstart.js'
import { metricsOf, sessionsIn, trainsIn } from '../fixture/session.js'

const dir = mkdtempSync(join(tmpdir(), 'ift-eval-training-'))
afterAll(() => {
  rmSync(dir, { recursive: true })
})

/** A task whose score is given, a number for each time that it is asked. */
let given: number[] = []
let asked = 0
const scripted: TaskDefinition<string> = {
  ...{ name: 'scripted', version: '1', description: 'Given scores.', source: '', licence: '', shots: 0 },
  metrics: { score: { description: 'given', kind: 'mean' } },
  ...{ main: 'score', prompt: 'instruction' },
  read: ({ record }) => [String(record['instruction'])],
  render: (question) => question,
  generate: { until: [], maxNewTokens: 2 },
  score: () => ({ score: given[asked++] ?? null }),
}

const session = sessionsIn(dir, [cpu, llama, lora, evaluation, defineTask(scripted)])
const train = trainsIn(session)
const base: IftConfig = {
  ...quickstartConfig,
  ...{ initialize: false, device: 'cpu', threads: 2 },
  validation: { size: 4 },
  train: { ...quickstartConfig.train!, maxSteps: 4, evalEvery: 1, saveEvery: 1 },
}
beforeAll(() => {
  const [first] = readFileSync(quickstart('data/bilingual.jsonl'), 'utf8').split('\n')
  writeFileSync(join(dir, 'one.jsonl'), `${first!}\n`)
})
const tasks = [{ name: 'scripted', data: 'one.jsonl' }]
const scores = (of: number[]) => {
  given = of
  asked = 0
}

test('scores are beside the loss in metrics.jsonl, and the best of a task is the result', async () => {
  scores([0.1, 0.9, 0.3, 0.2])
  const result = await train({
    ...base,
    output: 'best',
    evaluate: { tasks: [...tasks, { name: 'loss', data: 'one.jsonl' }], best: 'scripted' },
    train: { ...base.train!, loadBestAtEnd: true },
  })
  const evaluations = metricsOf(join(dir, 'best')).filter(({ kind }) => kind === 'eval')
  expect(evaluations.map(({ values }) => values['scripted.score'])).toEqual([0.1, 0.9, 0.3, 0.2])
  for (const { values } of evaluations) {
    expect(values['loss.loss']).toBeGreaterThan(0)
    expect(values['loss']).toBeGreaterThan(0)
  }
  expect(result.bestEval).toMatchObject({ step: 2, chosenBy: { metric: 'scripted.score', value: 0.9 } })
})

test('a run stops when a task has not been better for a while, and one without a score is no better', async () => {
  scores([0.5, 0.4, 0.3])
  const result = await train({
    ...base,
    output: 'stopped',
    evaluate: { tasks, best: 'scripted.score' },
    train: { ...base.train!, earlyStopping: 2 },
  })
  expect(result).toMatchObject({
    steps: 3,
    reason: 'stopped',
    stoppedBy: 'no better scripted.score in 2 evaluations',
  })
})

test('the training is the same with tasks and without', async () => {
  scores([1, 1, 1, 1])
  const losses = async (config: IftConfig) => {
    await train(config)
    return metricsOf(join(dir, config.output!))
      .filter(({ kind }) => kind === 'train')
      .map(({ values }) => values['loss'])
  }
  expect(await losses({ ...base, output: 'with', evaluate: { tasks } })).toEqual(
    await losses({ ...base, output: 'without' }),
  )
})

test('a task that fails is a warning, and ends no run', async () => {
  const failing = sessionsIn(dir, [
    ...[cpu, llama, lora, evaluation],
    defineTask({
      ...scripted,
      score: () => {
        throw new Error('no luck')
      },
    }),
  ])
  const result = await trainsIn(failing)({ ...base, output: 'failing', evaluate: { tasks } })
  expect(result.reason).toBe('done')
  expect(result.warnings.join('\n')).toMatch(/evaluate\.tasks: step 1 has no scores: .*no luck/)
})

test('what cannot be asked is refused before the run begins', async () => {
  const refused = async (config: Partial<IftConfig>, plugins?: Parameters<typeof sessionsIn>[1]) => {
    const run = plugins ? trainsIn(sessionsIn(dir, plugins)) : train
    return run({ ...base, output: 'refused', ...config }).then(
      () => 'nothing',
      (error: unknown) => {
        const { code, message, hint = '' } = error as IftError
        return `${code} ${message} ${hint}`
      },
    )
  }
  expect(await refused({ evaluate: { best: 'gsm8k' } })).toMatch(/^IFT_CONFIG_INVALID .*names no task/)
  expect(await refused({ evaluate: { tasks, best: 'scripted.scor' } })).toMatch(
    /^IFT_CONFIG_INVALID .*Did you mean "scripted\.score"/,
  )
  expect(await refused({ evaluate: { tasks: [...tasks, ...tasks] } })).toMatch(/scripted is there twice/)
  expect(await refused({ evaluate: { tasks }, validation: { size: 0 } })).toMatch(/Set validation\.size/)
  expect(await refused({ evaluate: { tasks: [{ name: 'gsm8k', data: 'none' }] } })).toMatch(
    /^IFT_SOURCE_NOT_FOUND /,
  )
  expect(await refused({ evaluate: { tasks } }, [cpu, llama, lora, defineTask(scripted)])).toMatch(
    /^IFT_PLUGIN_NOT_FOUND evaluate\.tasks are asked by @ift\/eval, which is not installed\. .*npm install @ift\/eval/s,
  )
})
