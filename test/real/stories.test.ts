import { mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import type { IftConfig } from '@ift/core'
import { plugin as cpu } from '@ift/kernels-cpu'
import { plugin as llama } from '@ift/model-llama'
import { plugin as lora } from '@ift/peft-lora'
import { metricsOf, sessionsIn, trainsIn } from '../fixture/session.js'
import { shared, sharedMissing } from '../../packages/core/src/testing/shared.fixture.js'
import { convert } from '../../scripts/convert-stories260k.mjs'

const missing = sharedMissing('assets/stories260k') || sharedMissing('assets/gsm8k')

describe.skipIf(missing)('a published model and real data', () => {
  const dir = mkdtempSync(join(tmpdir(), 'ift-stories-'))

  const config = (more: Partial<IftConfig> = {}): IftConfig => ({
    weights: './model',
    device: 'cpu',
    threads: 2,
    dtype: 'f32',
    data: [
      {
        path: shared('assets/gsm8k/train.jsonl'),
        format: 'alpaca',
        columns: { instruction: 'question', output: 'answer' },
        limit: 48,
      },
    ],
    template: 'alpaca',
    maxLength: 448,
    peft: { method: 'lora', r: 8, alpha: 16, dropout: 0.1, targetModules: 'all-linear' },
    train: {
      batchSize: 8,
      maxSteps: 8,
      saveEvery: 3,
      evalEvery: 0,
      microBatchTokens: 1024,
      learningRate: 5e-3,
    },
    ...more,
  })

  const session = sessionsIn(dir, [cpu, llama, lora])
  const train = trainsIn(session)

  beforeAll(async () => {
    await convert(shared('assets/stories260k'), join(dir, 'model'))
  })
  afterAll(() => {
    rmSync(dir, { recursive: true, force: true })
  })

  test('tells its story', async () => {
    const text = await session(config(), async (ift) => {
      const generator = await ift.createGenerator()
      return (await generator.generate('Once upon a time', { maxNewTokens: 64 })).text
    })
    expect(text).toMatch(/^, there was a little girl named Lily\. She loved to play outside in the park\./)
  })

  test(
    'learns from GSM8K, is cut and resumed, and merged gives the logits of its adapter',
    { timeout: 180_000 },
    async () => {
      const straight = await train(config({ output: 'straight' }))
      expect(straight).toMatchObject({ steps: 8, reason: 'done' })
      const losses = metricsOf(join(dir, 'straight')).map(({ values }) => values['loss']!)
      expect(losses.at(-1)!).toBeLessThan(0.8 * losses[0]!)

      const cut = config({ output: 'cut' })
      expect((await train(cut, { stopAfter: 4 })).reason).toBe('interrupted')
      expect((await train(cut, { resume: true })).reason).toBe('done')
      const bytes = (run: string) => readFileSync(join(dir, run, 'adapter/adapter_model.safetensors'))
      expect(bytes('cut').equals(bytes('straight'))).toBe(true)

      // log p of every token fixes the logits but for a constant in each row.
      const look = (options: IftConfig) =>
        session(options, async (ift) => {
          const generator = await ift.createGenerator()
          const ids = await generator.encode('Natalia sold clips to 48 of her friends in April.')
          const { text } = await generator.generate(
            { instruction: 'How many?', input: '' },
            { maxNewTokens: 24 },
          )
          return { scores: await generator.score(ids), text }
        })
      const adapter = './cut/adapter'
      const adapted = await look(config({ adapter }))
      await session(config({ adapter }), (ift) => ift.merge('merged'))
      const merged = await look(config({ weights: './merged' }))
      const base = await look(config())
      expect(merged.text).toBe(adapted.text)
      const worst = (a: (number | null)[], b: (number | null)[]) =>
        a.reduce<number>((most, value, i) => Math.max(most, Math.abs((value ?? 0) - (b[i] ?? 0))), 0)
      expect(worst(merged.scores, adapted.scores)).toBeLessThan(1e-4)
      expect(worst(base.scores, adapted.scores)).toBeGreaterThan(0.1)
    },
  )
})
