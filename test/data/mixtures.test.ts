import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, expect, test } from 'vitest'
import { defineDataset, type IftConfig, type MixtureRow } from '@ift/core'
import { plugin as cpu } from '@ift/kernels-cpu'
import { plugin as llama } from '@ift/model-llama'
import { plugin as lora } from '@ift/peft-lora'
import { quickstartConfig } from '../fixture/quickstart.js'
import { sessionsIn, trainsIn } from '../fixture/session.js'

const dir = mkdtempSync(join(tmpdir(), 'ift-mixtures-'))
afterAll(() => {
  rmSync(dir, { recursive: true, force: true })
})
for (const [name, count] of [
  ['a', 40],
  ['b', 30],
  ['c', 12],
] as const)
  writeFileSync(
    join(dir, `${name}.jsonl`),
    Array.from({ length: count }, (_, i) =>
      JSON.stringify({ instruction: `${name} ${i}`, output: 'Yes. '.repeat(1 + (i % 4)) }),
    ).join('\n'),
  )

/** A dataset of so many records, and of the size that its card says. */
const many = (count: number, size?: number) =>
  defineDataset({
    ...{ name: 'many', license: 'MIT', source: 'here', description: 'The same again and again.' },
    tags: { lang: ['EN'], task: ['TS'], gen: ['HG'] },
    ...(size === undefined ? {} : { size: { count: size, unit: 'records' } }),
    async *load() {
      for (let i = 0; i < count; i++)
        yield await Promise.resolve({ instruction: 'a', input: '', output: 'b' })
    },
  })
const plugins = [cpu, llama, lora]
const session = sessionsIn(dir, plugins)
const train = trainsIn(session)

const config = (output: string, more: Partial<IftConfig> = {}): IftConfig => ({
  ...quickstartConfig,
  ...{ model: 'llama', device: 'cpu', threads: 2, output },
  data: [
    { path: './a.jsonl', weight: 0.25 },
    { path: './b.jsonl', tokens: 300 },
    { path: './c.jsonl', share: 0.4 },
  ],
  mix: 'interleaved',
  validation: { size: 4 },
  train: { ...quickstartConfig.train!, maxSteps: undefined, epochs: 3, batchSize: 8, saveEvery: 0 },
  ...more,
})
const adapter = (output: string) => readFileSync(join(dir, output, 'adapter', 'adapter_model.safetensors'))
const manifest = (output: string) =>
  JSON.parse(readFileSync(join(dir, output, 'manifest.json'), 'utf8')) as { mixture: MixtureRow[] }

test('interrupted in a later epoch and resumed, a mixture ends in the same bytes; its table is in the manifest', async () => {
  const { steps } = await train(config('straight'))
  const inLaterEpoch = Math.floor(steps / 3) + 2
  expect((await train(config('cut'), { stopAfter: inLaterEpoch })).reason).toBe('interrupted')
  expect((await train(config('cut'), { resume: true })).reason).toBe('done')
  expect(adapter('cut').equals(adapter('straight'))).toBe(true)
  const { mixture } = manifest('straight')
  const planned = await session(config('planned'), async (ift) => (await ift.planTraining()).data.mixture)
  expect(planned).toEqual(mixture)
  const [a, b, c] = mixture
  expect(mixture.map(({ name }) => name)).toEqual(['./a.jsonl', './b.jsonl', './c.jsonl'])
  expect(mixture.reduce((held, { heldOut }) => held + heldOut, 0)).toBe(4)
  expect(a!.taken).toBe(Math.round(a!.rows / 4))
  expect(b!.tokens).toBeLessThanOrEqual(300)
  expect(c!.share).toBeCloseTo(0.4, 1)
  expect(c!.epochs).toBeGreaterThan(1)
  expect(a!.epochs).toBeCloseTo(0.75, 1)
  const report = readFileSync(join(dir, 'straight', 'report.html'), 'utf8')
  expect(report).toContain(`<td>./c.jsonl</td><td>${c!.rows}</td><td>${c!.taken}</td>`)
})

test('what a later epoch takes belongs to the data of a run', async () => {
  const hash = (more: Partial<IftConfig>) =>
    session(config('hash', more), async (ift) => (await ift.openData()).data.hash)
  const data = [{ path: './d.jsonl', cap: 3 }]
  const rows = Array.from({ length: 9 }, (_, i) => `{"instruction": "d ${i}", "output": "No."}`)
  const changed = new Set<string>()
  writeFileSync(join(dir, 'd.jsonl'), rows.join('\n'))
  changed.add(await hash({ data }))
  for (const i of rows.keys()) {
    writeFileSync(join(dir, 'd.jsonl'), rows.with(i, '{"instruction": "other", "output": "No."}').join('\n'))
    changed.add(await hash({ data }))
  }
  expect(changed.size).toBe(10)
})

test('what stands in no sensible mixture is refused by the field', async () => {
  const refused = (data: unknown) => session(config('x', { data: data as never }), () => Promise.resolve())
  const faults = [
    [[{ path: 'a.jsonl', share: 0.2, weight: 2 }, './b.jsonl'], 'data.0.share: share stands beside weight'],
    [{ path: 'a.jsonl', share: 0.2, cap: 2, tokens: 9 }, 'data.share: share stands beside cap and tokens'],
    [
      [{ path: 'a.jsonl', share: 1.2 }, './b.jsonl'],
      'data.0.share: Too big: expected number to be <=1, found 1.2',
    ],
    [
      [
        { path: 'a.jsonl', share: 0.6 },
        { path: 'b.jsonl', share: 0.6 },
      ],
      'data: expected shares that add up to at most 1, found 1.2',
    ],
    [[{ path: 'a.jsonl', share: 1 }, './b.jsonl'], 'data: expected shares that add up to less than 1'],
    [
      [{ path: 'a.jsonl', cap: 1.5 }],
      'data.0.cap: expected a whole number above 0, also as 500k, 2M or 1.5G, found 1.5',
    ],
    [
      { path: 'a.jsonl', tokens: true },
      'data.tokens: expected a whole number above 0, also as 500k, 2M or 1.5G, found true',
    ],
    [{ path: 'a.jsonl', tokens: '2 M' }, 'data.tokens: expected a whole number above 0, also as 500k, 2M'],
    [[{ path: 'a.jsonl', cap: '0k' }], 'data.0.cap: expected a whole number above 0'],
    [[{ path: 'a.jsonl', weight: '2' }], 'data.0.weight: Invalid input: expected number, received string'],
  ] as const
  for (const [data, said] of faults) {
    await expect(refused(data), said).rejects.toMatchObject({ code: 'IFT_CONFIG_INVALID' })
    await expect(refused(data), said).rejects.toThrow(said)
  }
  const amounts = [{ path: './a.jsonl', cap: '0.01k', tokens: '1M' }]
  const sizes = await session(config('x', { data: amounts, validation: {} }), async (ift) =>
    (await ift.openData()).data.train.sizes(0),
  )
  expect(sizes).toEqual([10])
})

test('a set of more than a million records among others needs a cap; alone it needs none', async () => {
  const open = (dataset: ReturnType<typeof many>, data: IftConfig['data']) =>
    sessionsIn(dir, [...plugins, dataset])(config('many', { data, validation: {} }), async (ift) => {
      // A million records are counted here, not tokenised.
      let examples = 0
      ift.hooks.example.tap('few', (example) => (++examples > 50 ? null : example))
      return (await ift.openData()).data.train.sizes(0)
    })
  for (const size of [undefined, 2_000_000]) {
    const mixed = open(many(1_000_001, size), ['many', './a.jsonl'])
    await expect(mixed).rejects.toMatchObject({ code: 'IFT_DATA_CAP' })
    await expect(mixed).rejects.toThrow('"many" has 1,000,001 records')
  }
  expect(await open(many(1_000_001), 'many')).toEqual([50])
  // What the card says does not count, only what is read.
  expect(await open(many(3, 2_000_000), ['many', './a.jsonl'])).toEqual([3, 40])
  expect(await open(many(1_000_001), [{ name: 'many', limit: 5 }, './a.jsonl'])).toEqual([5, 40])
})

test('records are counted before those that repeat others are left out, and before they are looked for', async () => {
  const open = (data: IftConfig['data'], more: Partial<IftConfig>) =>
    sessionsIn(dir, [...plugins, many(1_000_001, 2_000_000)])(
      config('count', { data, validation: {}, ...more }),
      async (ift) => (await ift.openData()).data.train.sizes(0),
    )
  const refused = { code: 'IFT_DATA_CAP', message: expect.stringContaining('1,000,001 records') as string }
  await expect(open(['./a.jsonl', 'many'], { dedup: 'exact' })).rejects.toMatchObject(refused)
  // The examples before it would end the run as soon as they were looked at.
  writeFileSync(join(dir, 'eval.jsonl'), readFileSync(join(dir, 'a.jsonl')))
  const decontaminate = { against: './eval.jsonl', action: 'error' } as const
  await expect(open(['./a.jsonl', 'many'], { decontaminate })).rejects.toMatchObject(refused)
  await expect(open('./a.jsonl', { decontaminate })).rejects.toMatchObject({ code: 'IFT_DATA_CONTAMINATED' })
})

test('a set without a sample is refused with a share, and noted without one, with the reason', async () => {
  writeFileSync(join(dir, 'long.jsonl'), `{"instruction": "${'e '.repeat(9000)}", "output": "f"}\n`.repeat(2))
  writeFileSync(join(dir, 'again.jsonl'), readFileSync(join(dir, 'c.jsonl')))
  const open = (data: IftConfig['data'], more: Partial<IftConfig> = {}) =>
    session(
      config('empty', { data, validation: {}, truncation: 'drop', ...more }),
      async (ift) => (await ift.openData()).data.notes,
    )
  const dropped = open(['./a.jsonl', { path: './long.jsonl', share: 0.5 }])
  await expect(dropped).rejects.toMatchObject({
    code: 'IFT_DATA_EMPTY',
    message: '"./long.jsonl" with share: 0.5 has nothing to train on: expected samples, found 0 (2 dropped).',
  })
  const again = (dedup: IftConfig['dedup']) =>
    open(['./c.jsonl', { path: './again.jsonl', share: 0.5 }], { dedup })
  await expect(again('exact')).rejects.toThrow('found 0 (12 left out by dedup or decontaminate)')
  await expect(again(true)).rejects.toThrow('found 0 (12 with the tokens of earlier ones)')
  for (const portion of [{}, { weight: 2 }, { cap: 5 }, { tokens: 50 }])
    expect(await open(['./a.jsonl', { path: './long.jsonl', ...portion }])).toContain(
      './long.jsonl: nothing to train on: 2 dropped.',
    )
})
