import { mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { afterAll, expect, test } from 'vitest'
import { plugin as alpaca } from '@ift/dataset-alpaca'
import { plugin as cpu } from '@ift/kernels-cpu'
import { plugin as llama } from '@ift/model-llama'
import { plugin as lora } from '@ift/peft-lora'
import { quickstart } from '../fixture/files.js'
import { quickstartConfig } from '../fixture/quickstart.js'
import { sessionsIn } from '../fixture/session.js'

const dir = mkdtempSync(join(tmpdir(), 'ift-licences-'))
afterAll(() => {
  rmSync(dir, { recursive: true })
})
const raw = fileURLToPath(new URL('../../packages/datasets/alpaca/fixtures/raw', import.meta.url))

test('licences of datasets are told before a run, and stand in its manifest and on the card of its adapter', async () => {
  const config = {
    ...quickstartConfig,
    ...{ weights: quickstart('model'), initialize: true, device: 'cpu' as const, output: 'run' },
    data: [{ name: 'alpaca', path: raw }, quickstart('data/bilingual.jsonl')],
    train: { ...quickstartConfig.train, maxSteps: 1 },
  }
  await sessionsIn(dir, [cpu, llama, lora, alpaca])(config, async (ift) => {
    const training = await ift.createTraining({})
    expect(training.notes).toContain(
      'Licences of the data: alpaca CC-BY-NC-4.0 (not for commercial use; terms of OpenAI).',
    )
    await training.run()
  })
  const manifest = JSON.parse(readFileSync(join(dir, 'run/manifest.json'), 'utf8')) as object
  expect(manifest).toMatchObject({ licenses: { alpaca: 'CC-BY-NC-4.0' } })
  const card = readFileSync(join(dir, 'run/adapter/README.md'), 'utf8')
  expect(card).toContain('| alpaca | CC-BY-NC-4.0 | not for commercial use; terms of OpenAI |')
  expect(card).toContain('| bilingual.jsonl |  |  |')
})
