import { createHash } from 'node:crypto'
import {
  appendFileSync,
  existsSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  writeFileSync,
} from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeEach, describe, expect, test } from 'vitest'
import { createPacker, type IftConfig, type PackCursor, type PackedBatch, type TrainResult } from '@ift/core'
import { plugin as cpu } from '@ift/kernels-cpu'
import { plugin as llama } from '@ift/model-llama'
import { plugin as lora } from '@ift/peft-lora'
import { quickstartConfig } from '../fixture/quickstart.js'
import { metricsOf, sessionsIn } from '../fixture/session.js'

const dir = mkdtempSync(join(tmpdir(), 'ift-at-once-'))
afterAll(() => {
  rmSync(dir, { recursive: true, force: true })
})
const session = sessionsIn(dir, [cpu, llama, lora])
const cache = join(dir, '.ift-cache')
beforeEach(() => {
  rmSync(cache, { recursive: true, force: true })
})

/** Rows of which some are too long and give no sample: every ninth, and one whole step where nothing is shuffled. */
const rowAt = (i: number) =>
  JSON.stringify({
    instruction: `row ${i}`,
    output: 'Yes. '.repeat(i % 9 === 4 || (i >= 40 && i < 44) ? 900 : 1 + (i % 4)),
  })
const rows = (count: number) => Array.from({ length: count }, (_, i) => rowAt(i))
writeFileSync(join(dir, 'a.jsonl'), `\n${rows(1400).join('\n')}\n`)
writeFileSync(join(dir, 'b.jsonl'), rows(60).join('\r\n\r\n'))

const config = (
  output: string,
  train: IftConfig['train'] = {},
  more: Partial<IftConfig> = {},
): IftConfig => ({
  ...quickstartConfig,
  ...{ device: 'cpu', threads: 2, output, validation: { size: 20 }, truncation: 'drop' },
  data: ['./a.jsonl', './b.jsonl'],
  train: { ...quickstartConfig.train!, maxSteps: 14, evalEvery: 7, saveEvery: 5, ...train },
  ...more,
})

interface Run {
  readonly result: TrainResult
  readonly fills: boolean
  readonly notes: readonly string[]
}

interface TrainOptions {
  readonly resume?: boolean
  /** Called behind a step; ends the run when it gives true. */
  readonly onStep?: (step: number) => boolean
  readonly onBatch?: (batch: PackedBatch) => void
}

const train = (
  of: IftConfig,
  { resume = false, onStep = () => false, onBatch }: TrainOptions = {},
): Promise<Run> =>
  session(of, async (ift) => {
    const training = await ift.createTraining({ resume })
    const fills = training.data.fillings.length > 0
    const controller = new AbortController()
    training.trainer.hooks.step.tap('test', ({ step }) => {
      if (onStep(step)) controller.abort()
    })
    training.trainer.hooks.batch.tap('test', (batch) => {
      onBatch?.(batch)
      return batch
    })
    return { result: await training.run(controller.signal), fills, notes: training.notes }
  })

const adapter = (output: string) =>
  readFileSync(join(dir, output, 'adapter/adapter_model.safetensors'), 'hex')
const losses = (output: string) =>
  metricsOf(join(dir, output)).map(({ step, kind, values }) => [step, kind, values['loss']])
const stores = () =>
  readdirSync(cache)
    .filter((name) => name.endsWith('.samples'))
    .map((name) => [name, readFileSync(join(cache, name), 'hex')])
const checkpoints = (output: string) => readdirSync(join(dir, output, 'checkpoints'))
const manifest = (output: string) =>
  JSON.parse(readFileSync(join(dir, output, 'manifest.json'), 'utf8')) as Record<string, unknown>

/** Orders and choices of which some take rows several times, or not at all. */
const kinds: Readonly<Record<string, Partial<IftConfig>>> = {
  shuffled: {},
  inOrder: { train: { ...config('').train!, shuffle: false } },
  mixed: {
    data: [
      { path: './a.jsonl', cap: 30 },
      { path: './b.jsonl', weight: 1.5 },
    ],
    mix: 'interleaved',
  },
}

describe.each(Object.keys(kinds))('%s', (kind) => {
  const of = (output: string, startAtOnce: 'always' | 'never'): IftConfig => {
    const one = config(`${kind}-${output}`, {}, kinds[kind])
    return { ...one, train: { ...one.train!, startAtOnce } }
  }

  test('a run that tokenises beside training, one that finds samples, and one that tokenises first are the same', async () => {
    const first = await train(of('first', 'never'))
    const kept = stores()
    const found = await train(of('found', 'always'))
    rmSync(cache, { recursive: true })
    const beside = await train(of('beside', 'always'))
    expect([first.fills, found.fills, beside.fills]).toEqual([false, false, true])
    for (const output of ['found', 'beside']) {
      expect(losses(`${kind}-${output}`)).toEqual(losses(`${kind}-first`))
      expect(adapter(`${kind}-${output}`)).toBe(adapter(`${kind}-first`))
      expect(manifest(`${kind}-${output}`)['dataHash']).toBe(manifest(`${kind}-first`)['dataHash'])
    }
    // What was made beside training is kept, and no byte of it tells.
    expect(stores()).toEqual(kept)
    const { seconds: _, output: __, ...counted } = first.result
    expect(beside.result).toMatchObject(counted)
    expect(first.result.passedOver).toBeGreaterThan(0)
    expect(manifest(`${kind}-beside`)['passedOver']).toBe(first.result.passedOver)
    expect(manifest(`${kind}-beside`)['mixture']).toEqual(manifest(`${kind}-first`)['mixture'])
  })

  test.each([1, 8])('interrupted behind step %i and resumed, it is the same', async (stop) => {
    const { result } = await train(of(`cut-${stop}`, 'always'), { onStep: (step) => step >= stop })
    expect(result.reason).toBe('interrupted')
    rmSync(cache, { recursive: true, force: true })
    expect((await train(of(`cut-${stop}`, 'always'), { resume: true })).fills).toBe(true)
    expect(adapter(`${kind}-cut-${stop}`)).toBe(adapter(`${kind}-first`))
    expect(losses(`${kind}-cut-${stop}`)).toEqual(losses(`${kind}-first`))
  })
})

test('a step of which no row gives a sample counts, and nothing is updated', async () => {
  const more = { data: './a.jsonl', validation: {} }
  const { result } = await train(config('empty', { shuffle: false, startAtOnce: 'always' }, more))
  expect(result.steps).toBe(14)
  const logged = metricsOf(join(dir, 'empty')).map(({ step }) => step)
  // Rows 40 to 43.
  expect(logged).toEqual([1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 12, 13, 14])
})

test('a note says what is tokenised beside training, and why a large set is not', async () => {
  const { notes } = await train(config('notes', { startAtOnce: 'always' }))
  expect(notes.join('\n')).toMatch(/while the run trains: 1,400 of \.\/a\.jsonl, 60 of \.\/b\.jsonl/)
  expect((await train(config('small'))).fills).toBe(false)
})

describe('while it trains', () => {
  const long = (output: string, data: string): IftConfig =>
    config(
      output,
      { maxSteps: 2000, startAtOnce: 'always', saveEvery: 0, evalEvery: 0 },
      { data, validation: {} },
    )
  const write = (name: string, more: string) => {
    writeFileSync(join(dir, name), `${[...rows(9000), more, ...rows(50)].join('\n')}\n`)
  }

  test('a row that cannot be read ends the run with its place, behind a checkpoint', async () => {
    write('broken.jsonl', '{"instruction": "x", "output": ')
    await expect(train(long('broken', './broken.jsonl'))).rejects.toMatchObject({
      code: 'IFT_DATA_SYNTAX',
      message: expect.stringContaining('broken.jsonl:9001') as string,
    })
    expect(checkpoints('broken')).toHaveLength(1)
    expect(existsSync(join(dir, 'broken/adapter'))).toBe(false)
  })

  test('a row of another form, too', async () => {
    write('other.jsonl', '{"question": 1}')
    await expect(train(long('other', './other.jsonl'))).rejects.toThrow(/other\.jsonl:9001/)
    expect(checkpoints('other')).toHaveLength(1)
  })

  test('a file that changes ends the run with its name, behind a checkpoint', async () => {
    write('changed.jsonl', rowAt(0))
    let isChanged = false
    const onBatch = () => {
      if (!isChanged) appendFileSync(join(dir, 'changed.jsonl'), rowAt(1))
      isChanged = true
    }
    await expect(train(long('changed', './changed.jsonl'), { onBatch })).rejects.toMatchObject({
      code: 'IFT_FILE_CHANGED',
      message: expect.stringContaining('changed.jsonl') as string,
    })
    expect(checkpoints('changed')).toHaveLength(1)
    // The checkpoint is of other data than those that are there now.
    await expect(train(long('changed', './changed.jsonl'), { resume: true })).rejects.toThrow(
      /the training samples are not the same, those of \.\/changed\.jsonl/,
    )
  })

  test('data of which no row gives a sample are an error', async () => {
    writeFileSync(join(dir, 'none.jsonl'), Array.from({ length: 40 }, () => rowAt(4)).join('\n'))
    await expect(
      train(config('none', { startAtOnce: 'always', maxSteps: 3 }, { data: './none.jsonl', validation: {} })),
    ).rejects.toMatchObject({ code: 'IFT_DATA_EMPTY' })
  })
})

test('a run of an earlier version goes on in the order of its samples', async () => {
  const of = (output: string) =>
    config(output, { startAtOnce: 'always', evalEvery: 0 }, { data: ['./b.jsonl'], validation: {} })
  await train(of('earlier'), { onStep: (step) => step >= 5 })
  const checkpoint = join(dir, 'earlier/checkpoints', checkpoints('earlier')[0]!)
  const { state, cursor } = JSON.parse(readFileSync(join(checkpoint, 'state.json'), 'utf8')) as {
    state: { step: number }
    cursor: PackCursor
  }
  // As it would have been written, with the hash that was recorded of these data.
  const record = join(checkpoint, 'run.json')
  const { sources: _, ...before } = JSON.parse(readFileSync(record, 'utf8')) as Record<string, unknown>
  const text = JSON.stringify({
    ...before,
    dataHash: 'stores-1:9c3a0caa810210e5c3a186c1b92d5573e9ca2ff94801102ede8c83503229ea84',
  })
  writeFileSync(record, text)
  const list = join(checkpoint, 'hashes.json')
  const { files } = JSON.parse(readFileSync(list, 'utf8')) as { files: Record<string, unknown> }
  const sha256 = createHash('sha256').update(text).digest('hex')
  const own = { bytes: Buffer.byteLength(text), sha256 }
  writeFileSync(list, JSON.stringify({ files: { ...files, 'run.json': own } }))

  const seen: number[][] = []
  const { result, fills } = await train(of('earlier'), {
    resume: true,
    onBatch: ({ ids }) => {
      seen.push([...ids])
    },
  })
  expect([fills, result.steps, result.passedOver]).toEqual([false, 14, expect.any(Number)])
  const expected = await session(of('earlier'), async (ift) => {
    const { data } = await ift.openData()
    const { seed, batchSize } = ift.config.train
    const packer = createPacker(data.datasets[0]!.store!, {
      ...{ seed, shuffle: true, samplesPerStep: batchSize, microBatchTokens: 320, sharePrefixes: false },
    })
    packer.seek(cursor)
    const steps = Array.from({ length: 14 - state.step }, () => packer.step().microBatches)
    return steps.flat().map(({ ids }) => [...ids])
  })
  expect(seen).toEqual(expected)
})
