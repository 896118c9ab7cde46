import { mkdirSync, readdirSync, symlinkSync, writeFileSync } from 'node:fs'
import { defineDataset, Ift, type IftConfig } from '@ift/core'
import { afterEach, beforeEach, expect, test } from 'vitest'
import { caseFolder, quickstartModel, type CaseFolder } from '../cases/ift.fixture.js'

let folder: CaseFolder
beforeEach(() => {
  folder = caseFolder('duplicates')
})
afterEach(() => {
  folder.remove()
})

const long =
  'the quick brown fox jumps over a lazy dog while seven small birds sing about the coming rain in early spring near our old stone bridge'

const jsonl = (name: string, records: readonly object[]) => {
  writeFileSync(folder.path(name), records.map((record) => `${JSON.stringify(record)}\n`).join(''))
}
const row = (instruction: string, output = 'Yes.') => ({ instruction, output })

function begun() {
  jsonl('a.jsonl', [row('One?'), row('one', 'yes'), row(long), row('Two'), row('Two', 'No.')])
  jsonl('b.jsonl', [row('"One"'), row(long.replace('bridge', 'wall')), row('Three')])
}

const opened = async (config: IftConfig) => {
  const ift = await Ift.load({
    cwd: folder.dir,
    config: {
      weights: quickstartModel,
      template: 'alpaca',
      data: ['./a.jsonl', './b.jsonl'],
      mix: 'sequential',
      ...config,
    },
  })
  try {
    const { data } = await ift.openData()
    return { data, counts: data.datasets.map(({ store }) => store!.count) }
  } finally {
    await ift.close()
  }
}
const verdictFiles = () => readdirSync(folder.path('.ift-cache')).filter((name) => name.endsWith('.verdicts'))

test('dedup takes out equal texts, near ones, or equal questions, before anything is tokenised', async () => {
  begun()
  const of = async (dedup: IftConfig['dedup']) => (await opened({ dedup })).counts
  expect(await of(false)).toEqual([5, 3])
  // Of tokens none are equal.
  expect((await opened({ dedup: true })).data).toMatchObject({ duplicates: 0, examination: null })
  expect(await of('exact')).toEqual([4, 2])
  expect(await of('near')).toEqual([4, 1])
  expect(await of({ near: 0.99 })).toEqual([4, 2])
  expect(await of({ by: 'question' })).toEqual([3, 2])
})

test('what was found is kept, and belongs to the contents and the options', async () => {
  begun()
  const first = await opened({ dedup: 'near' })
  expect(verdictFiles()).toHaveLength(1)
  const again = await opened({ dedup: 'near' })
  expect(again.data).toMatchObject({ hash: first.data.hash, notes: first.data.notes })
  expect(again.data.examination).toEqual(first.data.examination)
  expect(verdictFiles()).toHaveLength(1)
  const other = await opened({ dedup: 'exact' })
  expect(other.data.hash).not.toBe(first.data.hash)
  expect(verdictFiles()).toHaveLength(2)
  jsonl('b.jsonl', [row('Four')])
  expect((await opened({ dedup: 'near' })).counts).toEqual([4, 1])
  expect(verdictFiles()).toHaveLength(3)
  // One that is not whole is made again.
  for (const name of verdictFiles()) writeFileSync(folder.path('.ift-cache', name), 'cut')
  expect((await opened({ dedup: 'near' })).counts).toEqual([4, 1])
})

test('a cache that cannot be written costs time alone', async () => {
  begun()
  writeFileSync(folder.path('.ift-cache'), 'a file')
  const { counts, data } = await opened({ dedup: 'near' })
  expect(counts).toEqual([4, 1])
  expect(data.notes[0]).toMatch(/^Not kept for the next time: .*\.ift-cache/)
})

test('a note says what was left out, by the set that it repeats', async () => {
  begun()
  const { data } = await opened({ dedup: 'near' })
  expect(data.notes).toEqual([
    'dedup: ./a.jsonl: 1 of 5 examples left out, 1 equal and 0 near to earlier ones: 1 of its own.',
    'dedup: ./b.jsonl: 2 of 3 examples left out, 1 equal and 1 near to earlier ones: 2 of ./a.jsonl.',
  ])
})

test('examples that are evaluated on are left out, told of, or end the run', async () => {
  begun()
  jsonl('eval.jsonl', [
    { question: 'Three!', answer: '' },
    { question: `Q: ${long}?`, answer: '' },
  ])
  const found =
    /decontaminate: \.\/b\.jsonl: 2 of 3 examples share a text with \.\/eval\.jsonl and are left out/
  const dropped = await opened({ decontaminate: './eval.jsonl' })
  expect(dropped.counts).toEqual([4, 1])
  expect(dropped.data.notes[1]).toMatch(found)
  expect(dropped.data.notes[1]).toMatch(
    /b\.jsonl:2 with .*eval\.jsonl:2 for one: "the quick brown .* old stone"/,
  )
  const warned = await opened({ decontaminate: { against: './eval.jsonl', action: 'warn' } })
  expect(warned.counts).toEqual([5, 3])
  expect(warned.data.notes[1]).toContain('and stay')
  const strict = opened({ decontaminate: { against: ['./eval.jsonl'], action: 'error' } })
  await expect(strict).rejects.toMatchObject({ code: 'IFT_DATA_CONTAMINATED' })
})

test('the split of a dataset is read as its package reads the training file', async () => {
  mkdirSync(folder.path('gsm8k'))
  jsonl('gsm8k/train.jsonl', [
    { question: 'How many?', answer: '#### 1' },
    { question: 'Who?', answer: '#### 2' },
  ])
  jsonl('gsm8k/test.jsonl', [{ question: 'how MANY', answer: '#### 1' }])
  const gsm8k = { name: 'gsm8k', path: './gsm8k' }
  const { counts, data } = await opened({ data: gsm8k, decontaminate: [{ ...gsm8k, split: 'test' }] })
  expect(counts).toEqual([1])
  expect(data.examination!.contamination.evaluations).toEqual([
    { name: 'gsm8k in ./gsm8k:test', questions: 1 },
  ])
  // One entry stands for a list of it.
  const alone = await opened({ data: gsm8k, decontaminate: { ...gsm8k, split: 'test' } })
  expect(alone.data.examination).toEqual(data.examination)
  await expect(opened({ data: gsm8k, decontaminate: {} })).rejects.toThrow(
    'decontaminate: {}: An entry of data names neither a dataset nor a path.',
  )
  const validated = await opened({ data: gsm8k, validation: { data: { ...gsm8k, split: 'test' } } })
  expect(validated.data.validation!.count).toBe(1)
  const absent = opened({ data: gsm8k, decontaminate: { against: { ...gsm8k, split: 'dev' } } })
  await expect(absent).rejects.toMatchObject({
    code: 'IFT_SOURCE_NOT_FOUND',
    message: expect.stringMatching(/^decontaminate: gsm8k in \.\/gsm8k:dev: .*dev\.jsonl/s) as string,
  })
})

test('what a package gives to evaluate on is known by its contents', async () => {
  begun()
  mkdirSync(folder.path('gsm8k'))
  jsonl('gsm8k/test.jsonl', [{ question: 'Three', answer: '#### 1' }])
  const decontaminate = [{ name: 'gsm8k', path: './gsm8k', split: 'test' }]
  expect((await opened({ decontaminate })).counts).toEqual([5, 2])
  expect((await opened({ decontaminate })).counts).toEqual([5, 2])
  expect(verdictFiles()).toHaveLength(1)
  jsonl('gsm8k/test.jsonl', [{ question: 'Two', answer: '#### 1' }])
  expect((await opened({ decontaminate })).counts).toEqual([3, 3])
  expect(verdictFiles()).toHaveLength(2)
})

test('an evaluation that is no evaluation is refused', async () => {
  begun()
  jsonl('empty.jsonl', [])
  jsonl('ids.jsonl', [{ ids: [1, 2] }])
  const refused = async (config: IftConfig, code: string, message: RegExp) => {
    await expect(opened(config)).rejects.toMatchObject({
      code,
      message: expect.stringMatching(message) as string,
    })
  }
  await refused({ decontaminate: 'nope:test' }, 'IFT_PLUGIN_NOT_FOUND', /decontaminate: nope:test: .*"nope"/s)
  await refused({ decontaminate: './none.jsonl' }, 'IFT_SOURCE_NOT_FOUND', /decontaminate: \.\/none\.jsonl/)
  await refused(
    { decontaminate: './empty.jsonl' },
    'IFT_DATA_EMPTY',
    /empty\.jsonl has no question.*0 records/,
  )
  await refused({ decontaminate: './ids.jsonl' }, 'IFT_DATA_EMPTY', /ids\.jsonl has no question.*1 records/)
  await refused({ decontaminate: 'b.jsonl' }, 'IFT_CONFIG_INVALID', /b\.jsonl is in data as well/)
  await refused({ data: './a.jsonl', decontaminate: './copy.jsonl' }, 'IFT_SOURCE_NOT_FOUND', /copy/)
  await refused({ dedup: { near: 0.8, bands: 7 } }, 'IFT_CONFIG_INVALID', /dedup\.bands.*divide.*found 7/)
  await refused({ dedup: { near: 1.5 } }, 'IFT_CONFIG_INVALID', /dedup/)
  jsonl(
    'all.jsonl',
    [{ question: 'one' }, { question: 'two' }, { question: long }].map((q) => ({ ...q, answer: '' })),
  )
  await refused(
    { data: './a.jsonl', decontaminate: './all.jsonl' },
    'IFT_DATA_EMPTY',
    /leave no example.*5 of 5/s,
  )
})

test('a text that is in every set in another form is one text: forms, encodings, files', async () => {
  jsonl('a.jsonl', [
    {
      messages: [
        { role: 'user', content: 'Où est-il ?' },
        { role: 'assistant', content: 'Là.' },
      ],
    },
  ])
  writeFileSync(
    folder.path('b.csv'),
    Buffer.from('instruction,output\n"O\u00f9 est-il\u00a0?","L\u00e0"\n', 'latin1'),
  )
  const { counts } = await opened({
    data: ['./a.jsonl', { path: './b.csv', encoding: 'latin1' }],
    dedup: 'exact',
  })
  expect(counts).toEqual([1, 0])
})

test('what is trained on is no evaluation, whatever it is called', async () => {
  begun()
  mkdirSync(folder.path('g'))
  jsonl('g/train.jsonl', [{ question: 'How many?', answer: '#### 1' }])
  jsonl('g/test.jsonl', [{ question: 'Who?', answer: '#### 2' }])
  symlinkSync(folder.path('b.jsonl'), folder.path('link.jsonl'))
  const g = { name: 'gsm8k', path: './g' }
  const same: [IftConfig['data'], NonNullable<IftConfig['decontaminate']>][] = [
    [g, [g]],
    [g, [{ ...g, split: 'train' }]],
    [{ ...g, split: 'train' }, [{ name: 'gsm8k', path: 'g/' }]],
    [{ ...g, split: 'test' }, { against: { ...g, split: 'test' } }],
    ['./b.jsonl', './b.jsonl:test'],
    ['./b.jsonl', 'b.jsonl'],
    ['./b.jsonl', './link.jsonl'],
    [{ path: 'b.jsonl', split: 'test' }, './b.jsonl:train'],
    ['./*.jsonl', folder.path('b.jsonl')],
    ['./g', './g/train.jsonl'],
    [['./a.jsonl', './g/test.jsonl'], './g:test'],
  ]
  for (const [data, decontaminate] of same) {
    const refused = opened({ data, decontaminate })
    await expect(refused, JSON.stringify(decontaminate)).rejects.toMatchObject({
      code: 'IFT_CONFIG_INVALID',
      message: expect.stringMatching(/^decontaminate: .* is in data as well/) as string,
    })
  }
  const others: [IftConfig['data'], NonNullable<IftConfig['decontaminate']>][] = [
    [g, [{ ...g, split: 'test' }]],
    ['./g', './g:test'],
    ['./g', './g'],
    ['./g/train.jsonl', './g/test.jsonl'],
  ]
  for (const [data, decontaminate] of others)
    expect((await opened({ data, decontaminate })).counts, JSON.stringify(decontaminate)).toEqual([1])
})

test('a split is read, or refused by a dataset that has none', async () => {
  begun()
  const mine = defineDataset({
    ...{ name: 'mine', license: 'MIT', source: 'here', description: 'Rows that it makes.' },
    tags: { lang: ['EN'], task: ['TS'], gen: ['HG'] },
    async *load() {
      yield await Promise.resolve({ instruction: 'Made', input: '', output: 'Yes.' })
    },
  })
  const refused = async (config: IftConfig, code: string, message: RegExp, hint: string) => {
    await expect(opened({ plugins: [mine], ...config })).rejects.toMatchObject({
      code,
      message: expect.stringMatching(message) as string,
      hint: expect.stringContaining(hint) as string,
    })
  }
  expect((await opened({ plugins: [mine], data: 'mine' })).counts).toEqual([1])
  expect((await opened({ plugins: [mine], data: { name: 'mine', split: 'train' } })).counts).toEqual([1])
  const none = /The dataset mine has no other split: expected a file .*"test"/
  const file = '{ path: "…" }'
  await refused({ data: { name: 'mine', split: 'test' } }, 'IFT_DATA_SPLIT', none, file)
  await refused({ data: 'mine', decontaminate: 'mine:test' }, 'IFT_DATA_SPLIT', none, file)
  await refused({ decontaminate: 'mine:test' }, 'IFT_DATA_SPLIT', /^decontaminate: mine:test: /, file)
  await refused({ validation: { data: { name: 'mine', split: 'test' } } }, 'IFT_DATA_SPLIT', none, file)
  const all = /split: all beside name: mine: expected one split/
  await refused({ data: { name: 'mine', split: 'all' } }, 'IFT_CONFIG_INVALID', all, 'split: "test"')
  await refused({ decontaminate: 'mine:all' }, 'IFT_CONFIG_INVALID', all, 'split: "test"')
  // No file of this one has a split in its name.
  const alpaca = /The file .* of the dataset alpaca has no other split/
  await refused({ decontaminate: 'alpaca:test' }, 'IFT_DATA_SPLIT', alpaca, file)
})
