import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, expect, test } from 'vitest'
import { type IftConfig } from '@ift/core'
import { plugin as cpu } from '@ift/kernels-cpu'
import { plugin as llama } from '@ift/model-llama'
import { plugin as lora } from '@ift/peft-lora'
import { quickstartConfig } from '../fixture/quickstart.js'
import { sessionsIn, trainsIn } from '../fixture/session.js'

const dir = mkdtempSync(join(tmpdir(), 'ift-taken-'))
afterAll(() => {
  rmSync(dir, { recursive: true, force: true })
})
const session = sessionsIn(dir, [cpu, llama, lora])
const train = trainsIn(session)

/** Every fifth row is too long, and so gives no sample. */
const rows = (count: number) =>
  Array.from({ length: count }, (_, i) =>
    JSON.stringify({ instruction: `row ${i}`, output: 'Yes. '.repeat(i % 5 === 4 ? 900 : 1 + (i % 4)) }),
  ).join('\n')
writeFileSync(join(dir, 'a.jsonl'), rows(200))
writeFileSync(join(dir, 'b.jsonl'), rows(30))

const config = (output: string, more: Partial<IftConfig> = {}): IftConfig => ({
  ...quickstartConfig,
  ...{ model: 'llama', device: 'cpu', threads: 2, output, validation: { size: 6 }, truncation: 'drop' },
  data: [{ path: './a.jsonl', cap: 20 }, './b.jsonl'],
  train: { ...quickstartConfig.train!, maxSteps: undefined, epochs: 3, batchSize: 4, saveEvery: 0 },
  ...more,
})
const open = (more: Partial<IftConfig> = {}) =>
  session(config('x', more), async (ift) => {
    const { data } = await ift.openData()
    const epochs = (count: number) =>
      Array.from({ length: count }, (_, epoch) =>
        Array.from(data.train.order(epoch, 1), (i) => data.train.sample(i).ids.join()),
      )
    return { data, epochs: epochs(3) }
  })

test('only what the run takes is tokenised, and it is what would be taken of all', async () => {
  const { data, epochs } = await open()
  const [a, b] = data.datasets
  // Three epochs of 20 rows, and some of the 6 that are held out.
  expect(a!.counts.examples).toBeGreaterThanOrEqual(60)
  expect(a!.counts.examples).toBeLessThanOrEqual(66)
  expect(b!.counts.examples).toBe(30)
  expect(data.notes.join()).toMatch(
    /a\.jsonl: the run takes 6\d of 200 examples; the others are not tokenised/,
  )
  expect(data.mixture[0]!.rows + data.mixture[0]!.heldOut).toBe(200)
  // More epochs take more rows, and the first ones stay what they are.
  const longer = await open({ train: { ...config('x').train!, epochs: 30 } })
  expect(longer.data.datasets[0]!.counts.examples).toBe(200)
  expect(longer.epochs).toEqual(epochs)
  // Rows that are too long are passed over.
  for (const epoch of [0, 1, 2]) {
    const [ofA, ofB] = data.train.sizes(epoch)
    expect(ofA).toBeLessThan(20)
    expect(ofA).toBeGreaterThan(6)
    expect(ofB! + data.validation!.sizes(0)[1]!).toBe(24)
  }
  expect((await open()).data.hash).toBe(data.hash)
})

test('the order of an epoch beyond the run is refused', async () => {
  const beyond = session(config('x'), async (ift) => (await ift.openData()).data.train.order(3, 1))
  await expect(beyond).rejects.toThrow('samples were made of what 3 take')
})

test('a number of steps takes as many epochs as it needs, though rows give no sample', async () => {
  const more = {
    train: { ...config('x').train!, epochs: 3, maxSteps: 60 },
    data: [{ path: './a.jsonl', cap: 20 }],
  }
  const { reason, steps } = await train(config('steps', { ...more, validation: {} }))
  expect([reason, steps]).toEqual(['done', 60])
})

test('interrupted and resumed, with the samples kept or gone, a run ends in the same bytes', async () => {
  const adapter = (output: string) => readFileSync(join(dir, output, 'adapter', 'adapter_model.safetensors'))
  await train(config('straight'))
  expect((await train(config('cut'), { stopAfter: 12 })).reason).toBe('interrupted')
  rmSync(join(dir, '.ift-cache'), { recursive: true })
  expect((await train(config('cut'), { resume: true })).reason).toBe('done')
  expect(adapter('cut').equals(adapter('straight'))).toBe(true)
})

test('tokens and dedup need all', async () => {
  for (const more of [
    { data: [{ path: './a.jsonl', cap: 20, tokens: '1k' }, './b.jsonl'] },
    { dedup: true, data: [{ path: './a.jsonl', cap: 20 }] },
  ])
    expect((await open(more)).data.datasets[0]!.counts.examples).toBe(200)
})
