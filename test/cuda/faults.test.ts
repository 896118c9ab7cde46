import { mkdtempSync, readdirSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, expect, test } from 'vitest'
import { defineBackend, IftError, type IftConfig } from '@ift/core'
import { plugin as llama } from '@ift/model-llama'
import { plugin as lora } from '@ift/peft-lora'
import {
  emulatedIsBuilt,
  openEmulated,
  type EmulatedOptions,
} from '../../packages/kernels-cuda/src/emulated.fixture.js'
import { quickstart } from '../fixture/files.js'
import { quickstartConfig } from '../fixture/quickstart.js'
import { sessionsIn } from '../fixture/session.js'
import { copyModel, smallSizes } from '../fixture/small-model.js'

// What a user sees when a GPU fills up or falls silent in mid-run.

const ready = emulatedIsBuilt()
if (!ready) console.log('skipped: faults of a GPU need the emulated build')

const dir = mkdtempSync(join(tmpdir(), 'ift-cuda-faults-'))
copyModel(dir, { ...smallSizes, num_hidden_layers: 2 })
afterAll(() => {
  rmSync(dir, { recursive: true, force: true })
})

async function train(output: string, device: EmulatedOptions, more: IftConfig = {}, resume = false) {
  const backend = defineBackend({ name: 'cuda', open: () => Promise.resolve(openEmulated(device)) })
  const config: IftConfig = {
    ...quickstartConfig,
    weights: dir,
    device: 'cuda',
    data: [{ path: quickstart('data/bilingual.jsonl'), limit: 12 }],
    maxLength: 128,
    peft: { method: 'lora', r: 2, dropout: 0 },
    output,
    ...more,
    train: { batchSize: 3, maxSteps: 4, saveEvery: 1, evalEvery: 0, microBatchTokens: 512, ...more.train },
  }
  return sessionsIn(dir, [backend, llama, lora])(config, async (ift) => {
    const training = await ift.createTraining({ ranks: null, resume })
    const { finalLoss } = await training.run()
    return { loss: finalLoss, peak: training.open.backend.memory().peak }
  })
}

const failure = async (run: Promise<unknown>): Promise<IftError> => {
  const error: unknown = await run.then(
    () => null,
    (error: unknown) => error,
  )
  if (!(error instanceof IftError)) throw new Error('an IftError was expected', { cause: error })
  return error
}

test.skipIf(!ready)('a full device: what was asked, what was planned, and what would fit', async () => {
  const large = { batchSize: 6, microBatchTokens: 1024, maxSteps: 1, recompute: 'none' } as const
  const whole = await train('whole', {}, { train: large })
  const memory = Math.round(0.5 * whole.peak)
  const error = await failure(train('full', { memory }, { train: large }))
  expect(error.code).toBe('IFT_OUT_OF_MEMORY')
  expect(error.message).toMatch(
    /a tensor \[[\d, ]+\] in f32: alloc: [\d.]+ MiB asked, [\d.]+ MiB of [\d.]+ MiB in buffers/,
  )
  expect(error.message).toMatch(/The plan was [\d.]+ MiB: weights .* optimiser .* activations .* workspace/)
  const settings = [...error.hint!.matchAll(/(--[\w.]+ \w+)[^(]*\(saves [\d.]+ MiB/g)]
  expect(settings).toHaveLength(3)
  expect(error.hint).toMatch(/--train\.recompute all|--train\.microBatchTokens|--maxLength/)
  // The first of them does what it says.
  const smaller = await train('smaller', { memory }, { train: { ...large, microBatchTokens: 128 } })
  expect(smaller.peak).toBeLessThan(memory)
})

test.skipIf(!ready)(
  'a lost device: its checkpoint is whole, and the run goes on to the same end',
  async () => {
    const straight = await train('straight', {})
    let life = 100
    let error = await failure(train('lost', { life }))
    // Early enough there is no checkpoint yet; late enough the run ends. In between there is one to go on from.
    const steps = () => {
      try {
        return readdirSync(join(dir, 'lost/checkpoints')).filter((name) => name.startsWith('step-')).length
      } catch {
        return 0
      }
    }
    while (steps() === 0) {
      rmSync(join(dir, 'lost'), { recursive: true, force: true })
      life += 50
      error = await failure(train('lost', { life }))
    }
    expect(error.code).toBe('IFT_DEVICE_LOST')
    expect(error.message).toContain('CUDA_ERROR_LAUNCH_FAILED')
    expect(error.hint).toContain('--resume')
    const resumed = await train('lost', {}, {}, true)
    expect(resumed.loss).toBe(straight.loss)
  },
)
