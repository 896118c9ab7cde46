// The plan of a run against what a GPU, emulated on the processor, has counted: workspaces of its kernels included.
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, expect, test } from 'vitest'
import type { IftConfig } from '@ift/core'
import { plugin as llama } from '@ift/model-llama'
import { plugin as lora } from '@ift/peft-lora'
import { emulatedIsBuilt } from '../../packages/kernels-cuda/src/emulated.fixture.js'
import { plugin as emulated } from '../fixture/emulated-gpu.js'
import { quickstartConfig } from '../fixture/quickstart.js'
import { copyModel, smallSizes } from '../fixture/small-model.js'
import { sessionsIn } from '../fixture/session.js'

const dir = mkdtempSync(join(tmpdir(), 'ift-memory-plan-cuda-'))
const session = sessionsIn(dir, [emulated, llama, lora])

beforeAll(() => {
  copyModel(join(dir, 'model'), { ...smallSizes, num_hidden_layers: 2 })
})

afterAll(() => {
  rmSync(dir, { recursive: true })
})

const cases: readonly Partial<IftConfig>[] = [
  { dtype: 'bf16', peft: { method: 'lora', r: 64, dropout: 0.1, targetModules: 'all-linear' } },
  { dtype: 'f32', peft: { method: 'lora', dora: true }, quantize: 'nf4' },
  { dtype: 'bf16', peft: { method: 'none' }, train: { optimizer: 'adafactor', recompute: 'all' } },
]

test.skipIf(!emulatedIsBuilt()).each(cases)('the plan is the peak: %j', async (changes) => {
  const config: IftConfig = {
    ...quickstartConfig,
    ...{
      model: 'llama',
      device: 'cuda',
      weights: join(dir, 'model'),
      output: `run-${cases.indexOf(changes)}`,
    },
    ...changes,
    train: { ...quickstartConfig.train, batchSize: 2, maxSteps: 1, saveEvery: 0, ...changes.train },
  }
  await session(config, async (ift) => {
    const training = await ift.createTraining()
    await training.run()
    const { peak } = training.open.backend.memory()
    expect(training.plan.total / peak).toBeGreaterThan(0.98)
    expect(training.plan.total / peak).toBeLessThan(1.02)
  })
})
