import { existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest'
import { openSafetensors, readStored, type IftConfig } from '@ift/core'
import { plugin as cpu } from '@ift/kernels-cpu'
import { plugin as llama } from '@ift/model-llama'
import { plugin as lora } from '@ift/peft-lora'
import { readObject } from '../fixture/files.js'
import { penalisedPlugin, type Calls } from '../fixture/penalised-lora.js'
import { quickstartConfig } from '../fixture/quickstart.js'
import { lossesOf, metricsOf, sessionsIn, trainsIn } from '../fixture/session.js'

// What a method may do in an optimiser step: a penalty, a change after the update, a state of its own.

const dir = mkdtempSync(join(tmpdir(), 'ift-method-steps-'))
const calls: Calls = { updates: [], penalties: 0 }
const session = sessionsIn(dir, [cpu, llama, lora, penalisedPlugin(calls)])
const train = trainsIn(session)
const steps = 6

const config = (output: string, method = 'penalised-lora', more: IftConfig['train'] = {}): IftConfig => ({
  ...quickstartConfig,
  model: 'llama',
  device: 'cpu',
  threads: 2,
  peft: { method, r: 4, dropout: 0 },
  validation: { size: 8 },
  train: { ...quickstartConfig.train, maxSteps: steps, ...more },
  output,
})

const adapter = (output: string) => readFileSync(join(dir, output, 'adapter/adapter_model.safetensors'))

beforeAll(async () => {
  await train(config('straight'))
})

beforeEach(() => {
  calls.updates.length = 0
  calls.penalties = 0
})

afterAll(() => {
  rmSync(dir, { recursive: true })
})

test('a penalty counts once a step, in the loss, in the gradients and in the log, whatever the micro-batches', async () => {
  const [whole, split] = [await first({ microBatchTokens: 2000 }), await first({ microBatchTokens: 160 })]
  expect(split.microBatches).toBeGreaterThan(whole.microBatches)
  expect(calls.penalties).toBe(2)
  for (const key of ['loss', 'penalty', 'gradientNorm'] as const)
    expect(split[key]).toBeCloseTo(whole[key]!, 4)
  const { loss } = await first({ microBatchTokens: 2000 }, 'lora')
  expect(whole.penalty).toBeGreaterThan(0.05)
  expect(whole.loss - whole.penalty!).toBeCloseTo(loss, 5)
  for (const { kind, values } of metricsOf(join(dir, 'straight')))
    if (kind === 'train') expect(values['penalty']).toBeGreaterThan(0.05)
  expect(readFileSync(join(dir, 'straight/report.html'), 'utf8')).toContain('Penalty of the method')

  async function first(options: IftConfig['train'], method?: string) {
    const output = `first-${method ?? ''}${options!.microBatchTokens!}`
    return session(config(output, method, { ...options, maxSteps: 1 }), async (ift) => {
      const training = await ift.createTraining()
      let found: Record<'loss' | 'gradientNorm' | 'microBatches', number> & { penalty?: number }
      training.trainer.hooks.step.tapPromise('read', async (result) => {
        const penalty = await result.penalty?.()
        found = {
          loss: await result.loss(),
          gradientNorm: await result.gradientNorm(),
          microBatches: result.microBatches,
          ...(penalty === undefined ? {} : { penalty }),
        }
      })
      await training.run()
      return found!
    })
  }
})

test('validation leaves the penalty out', async () => {
  const loss = (output: string, method: string) =>
    session(config(output, method), async (ift) => {
      const training = await ift.createTraining()
      // B is zero at the start: both are the base.
      const { loss } = await training.trainer.evaluate()
      training.release()
      return loss
    })
  expect(await loss('eval-a', 'penalised-lora')).toBe(await loss('eval-b', 'lora'))
})

test('after every update the method is called, counted on over a resumed run, which ends in the same bytes', async () => {
  expect((await train(config('cut'), { stopAfter: 3 })).reason).toBe('interrupted')
  await train(config('cut'), { resume: true })
  expect(calls.updates).toEqual(Array.from({ length: steps }, (_, i) => ({ step: i + 1, totalSteps: steps })))
  expect(adapter('cut').equals(adapter('straight'))).toBe(true)
  const { tensors } = await openSafetensors(join(dir, 'cut/checkpoints/step-6/method.safetensors'))
  expect([...tensors.keys()].every((name) => /^sum\..*lora_A\.weight$/.test(name))).toBe(true)
})

test('the best of a run comes with the state of its step', async () => {
  const options = { evalEvery: 1, saveEvery: 0, keepCheckpoints: 9, loadBestAtEnd: true, learningRate: 0.4 }
  await session(config('best', undefined, options), async (ift) => {
    const training = await ift.createTraining()
    const { bestEval } = await training.run()
    const { step } = bestEval!
    expect(step).toBeLessThan(steps)
    const { tensors } = await openSafetensors(join(dir, `best/checkpoints/step-${step}/method.safetensors`))
    for (const [name, state] of training.trainer.trained.peft!.state!()) {
      const stored = (await readStored(tensors.get(name)!)).slice().buffer
      expect(await state.read()).toEqual(new Float32Array(stored))
    }
  })
})

describe('a checkpoint', () => {
  /** Takes a file out of a checkpoint as if it had never been written. */
  const without = (output: string, step: number, file: string) => {
    const folder = join(dir, output, `checkpoints/step-${step}`)
    const { files } = readObject(join(folder, 'hashes.json')) as { files: Record<string, unknown> }
    expect(Object.keys(files)).toContain(file)
    const others = Object.entries(files).filter(([name]) => name !== file)
    writeFileSync(join(folder, 'hashes.json'), JSON.stringify({ files: Object.fromEntries(others) }))
    rmSync(join(folder, file))
  }

  test('without the state of the method is refused by name', async () => {
    await train(config('stateless'), { stopAfter: 4 })
    without('stateless', 4, 'method.safetensors')
    const resumed = train(config('stateless'), { resume: true })
    await expect(resumed).rejects.toMatchObject({ code: 'IFT_CHECKPOINT_MISMATCH' })
    await expect(resumed).rejects.toThrow(
      /method\.safetensors: tensor "sum\..*lora_A\.weight" should be f32 \[4, \d+\], found nothing/,
    )
  })

  test('of a method without state has no file for it', async () => {
    await train(config('plain', 'lora'))
    expect(existsSync(join(dir, 'plain/checkpoints/step-6/trainable.safetensors'))).toBe(true)
    expect(existsSync(join(dir, 'plain/checkpoints/step-6/method.safetensors'))).toBe(false)
  })
})

test('the plan counts the state', async () => {
  const training = (method: string) =>
    session(config(`plan-${method}`, method), async (ift) => {
      const planned = await ift.planTraining()
      planned.release()
      return planned.plan.training
    })
  const { tensors } = await openSafetensors(join(dir, 'straight/checkpoints/step-6/method.safetensors'))
  let bytes = 0
  for (const { shape } of tensors.values()) bytes += 4 * shape.reduce((a, b) => a * b, 1)
  expect((await training('penalised-lora')) - (await training('lora'))).toBe(bytes)
})

test('a gradient that is not finite ends the run, and the method is not called for it', async () => {
  const run = session(config('infinite'), async (ift) => {
    const training = await ift.createTraining()
    training.trainer.hooks.gradients.tap('spoil', ({ trainable }, { step }) => {
      const gradient = trainable[0]!.parameter.gradient()
      if (step === 2) gradient.backend.fill(gradient.buf, Infinity, 1, 'f32')
    })
    await lossesOf(training)
  })
  await expect(run).rejects.toMatchObject({ code: 'IFT_TRAIN_NONFINITE' })
  // Step 4 is queued before the numbers of step 3 arrive.
  expect(calls.updates.map(({ step }) => step)).toEqual([1, 2, 4])
})
