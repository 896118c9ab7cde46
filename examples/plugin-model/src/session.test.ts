import { cpSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { Ift, openCheckpoint, type IftConfig } from '@ift/core'
import { plugin as cpu } from '@ift/kernels-cpu'
import { plugin as lora } from '@ift/peft-lora'
import { afterAll, expect, test } from 'vitest'
import { plugin } from './index.js'

const dir = mkdtempSync(join(tmpdir(), 'ift-gpt2-'))
afterAll(() => {
  rmSync(dir, { recursive: true, force: true })
})
cpSync(fileURLToPath(new URL('../fixtures/gpt2-tiny', import.meta.url)), join(dir, 'base'), {
  recursive: true,
})
writeFileSync(
  join(dir, 'rows.jsonl'),
  ['salt', 'rice', 'soup', 'bread']
    .map((word) => JSON.stringify({ prompt: `What is ${word}?`, completion: `${word} is food.` }))
    .join('\n'),
)

const config: IftConfig = {
  weights: './base',
  device: 'cpu',
  threads: 2,
  dtype: 'f32',
  data: './rows.jsonl',
  template: 'plain',
  maxLength: 64,
  peft: { method: 'lora', r: 2, targetModules: 'all-linear' },
  train: { batchSize: 2, maxSteps: 4, microBatchTokens: 128, learningRate: 0.05, evalEvery: 0 },
}

async function session<T>(more: Partial<IftConfig>, run: (ift: Ift) => Promise<T>): Promise<T> {
  const ift = await Ift.load({ cwd: dir, config: { ...config, ...more }, plugins: [cpu, plugin, lora] })
  try {
    return await run(ift)
  } finally {
    await ift.close()
  }
}

const ids = [5, 80, 81, 300, 7, 9]
const score = (more: Partial<IftConfig>) =>
  session(more, async (ift) => (await ift.createGenerator()).score(ids))

test('a session finds the family by architecture, trains LoRA on it and merges', async () => {
  const result = await session({ output: 'run' }, async (ift) => {
    const training = await ift.createTraining()
    expect(training.open.definition.name).toBe('gpt2')
    return training.run()
  })
  const adapter = { adapter: result.output }
  const record = JSON.parse(readFileSync(join(result.output, 'adapter_config.json'), 'utf8')) as object
  expect(record).toMatchObject({ peft_type: 'LORA', fan_in_fan_out: true })
  const [before, trained] = [await score({}), await score(adapter)]
  expect(trained[0]).toBeNull()
  expect(Math.abs(trained[1]! - before[1]!)).toBeGreaterThan(1e-3)

  await session(adapter, (ift) => ift.merge('merged'))
  // The matrices of a saved model are named and lie as those of the checkpoint.
  const saved = await openCheckpoint(join(dir, 'merged'))
  expect(saved.info('h.0.mlp.c_fc.weight').shape).toEqual([16, 64])
  const merged = await score({ weights: './merged' })
  for (let i = 1; i < ids.length; i++) expect(merged[i]).toBeCloseTo(trained[i]!, 4)
})

test('matrices that lie as [in, out] are not put into adapters whole', async () => {
  const peft = { method: 'lora', modulesToSave: ['c_fc'] }
  await expect(session({ peft, output: 'whole' }, (ift) => ift.createTraining())).rejects.toMatchObject({
    code: 'IFT_PEFT_TARGET',
  })
})

test('a sequence beyond the learned positions is refused, and what is too long is cut', async () => {
  const long = Array.from({ length: 130 }, (_, i) => i)
  await expect(session({}, async (ift) => (await ift.createGenerator()).score(long))).rejects.toMatchObject({
    code: 'IFT_SEQUENCE_TOO_LONG',
  })
  await session({ maxLength: 4096 }, async (ift) => {
    const { train } = (await ift.openData()).data
    for (let i = 0; i < train.count; i++) expect(train.sample(i).ids.length).toBeLessThanOrEqual(128)
  })
})
