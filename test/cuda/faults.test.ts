import { copyFileSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { defineBackend, Ift, IftError, type IftConfig } from '@ift/core'
import { plugin as llama } from '@ift/model-llama'
import { plugin as lora } from '@ift/peft-lora'
import {
  emulatedIsBuilt,
  openEmulated,
  type EmulatedOptions,
} from '../../packages/kernels-cuda/src/emulated.fixture.js'

// What a user sees when a GPU fills up or falls silent in mid-run.

const path = (name: string) => fileURLToPath(new URL(`../../${name}`, import.meta.url))
const ready = emulatedIsBuilt()
if (!ready) console.log('skipped: faults of a GPU need the emulated build')

let dir: string
beforeAll(() => {
  dir = mkdtempSync(join(tmpdir(), 'ift-cuda-faults-'))
  const model = path('examples/quickstart/model')
  for (const file of readdirSync(model)) copyFileSync(join(model, file), join(dir, file))
  const config = JSON.parse(readFileSync(join(model, 'config.json'), 'utf8')) as Record<string, unknown>
  const small = { hidden_size: 128, intermediate_size: 128, num_hidden_layers: 2 }
  const heads = { num_attention_heads: 2, num_key_value_heads: 2, head_dim: 64 }
  writeFileSync(join(dir, 'config.json'), JSON.stringify({ ...config, ...small, ...heads }))
})
afterAll(() => {
  rmSync(dir, { recursive: true, force: true })
})

async function train(output: string, device: EmulatedOptions, more: IftConfig = {}, resume = false) {
  const backend = defineBackend({ name: 'cuda', open: () => Promise.resolve(openEmulated(device)) })
  const config: IftConfig = {
    model: 'llama',
    weights: dir,
    initialize: true,
    device: 'cuda',
    dtype: 'f32',
    data: [{ path: path('examples/quickstart/data/bilingual.jsonl'), limit: 12 }],
    template: 'alpaca',
    maxLength: 128,
    peft: { method: 'lora', r: 2, dropout: 0 },
    output,
    ...more,
    train: { batchSize: 3, maxSteps: 4, saveEvery: 1, evalEvery: 0, microBatchTokens: 512, ...more.train },
  }
  const ift = await Ift.load({ cwd: dir, config, plugins: [backend, llama, lora] })
  try {
    const training = await ift.createTraining({ ranks: null, resume })
    const { finalLoss } = await training.run()
    return { loss: finalLoss, peak: training.open.backend.memory().peak }
  } finally {
    await ift.close()
  }
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
