import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import type { IftConfig } from '@ift/core'
import { plugin as cpu } from '@ift/kernels-cpu'
import { plugin as llama } from '@ift/model-llama'
import { pluginsOf } from '../fixture/models.js'
import { quickstartConfig } from '../fixture/quickstart.js'
import { copyModel } from '../fixture/small-model.js'
import { sessionsIn } from '../fixture/session.js'

// The plan of a run against what its device has counted, from the opening of the model to the end of the run. All of SmolLM2-135M:
// bench/memory-plan.mjs.

const dir = mkdtempSync(join(tmpdir(), 'ift-memory-plan-'))
const session = sessionsIn(dir, [cpu, llama, ...(await pluginsOf(/^peft-/))])

/** SmolLM2-135M with fewer layers, and the vocabulary of the quick start. */
const sizes = {
  ...{ hidden_size: 576, intermediate_size: 1536, head_dim: 64, num_hidden_layers: 2 },
  ...{ num_attention_heads: 9, num_key_value_heads: 3 },
}

beforeAll(() => {
  copyModel(join(dir, 'model'), sizes)
})

afterAll(() => {
  rmSync(dir, { recursive: true })
})

const config = (output: string, changes: Partial<IftConfig>): IftConfig => ({
  ...quickstartConfig,
  ...{ model: 'llama', device: 'cpu', threads: 2, weights: join(dir, 'model'), output },
  ...changes,
  train: { ...quickstartConfig.train, maxSteps: 2, saveEvery: 0, ...changes.train },
})

const methods: Readonly<Record<string, NonNullable<IftConfig['peft']>>> = {
  'weight update': { method: 'lora', r: 8 },
  'weight update with a penalty and state': { method: 'adalora' },
  'tensors that all layers share': { method: 'vera', r: 32 },
  'factors of columns': { method: 'ia3' },
  branch: { method: 'houlsby' },
  'input rows': { method: 'prompt-tuning', virtualTokens: 20 },
  'input rows through an encoder': { method: 'p-tuning', virtualTokens: 20 },
  'key/value prefix': { method: 'prefix-tuning', virtualTokens: 20 },
  'whole parameters': { method: 'ln-tuning' },
  'rows of a table': { method: 'trainable-tokens', tokenIndices: [5, 7] },
  'full training': { method: 'none' },
}

describe.each(Object.entries(methods))('%s', (name, peft) => {
  test.each([
    ['f32', 'none'],
    ['bf16', 'all'],
  ] as const)('%s, recompute: %s: the plan is the peak', async (dtype, recompute) => {
    await session(
      config(`${name}-${dtype}-${recompute}`, { dtype, peft, train: { recompute } }),
      async (ift) => {
        const training = await ift.createTraining()
        await training.run()
        const { peak } = training.open.backend.memory()
        expect(training.plan.recomputeLayers).toBe(recompute === 'all' ? sizes.num_hidden_layers : 0)
        expect(training.plan.total / peak).toBeGreaterThan(0.97)
        expect(training.plan.total / peak).toBeLessThan(1.03)
      },
    )
  })
})
