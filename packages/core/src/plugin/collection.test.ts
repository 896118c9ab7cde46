// What a part of a collection can say, over 400 lines: every case is a folder of files and a definition.
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { pathToFileURL } from 'node:url'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import type { DatasetContext } from '../contract/dataset.js'
import type { Part } from '../data/collection/dataset.js'
import {
  alternating,
  columns,
  firstOf,
  isInFile,
  objectOfFile,
  recordOfFile,
  rowsOfFile,
} from '../data/collection/index.js'
import { enum as oneOfTexts, strictObject } from '../config/options.js'
import { datasetsOf, folderContext } from '../testing/dataset.js'
import { checkCard, datasetFacts } from './card.js'
import { defineCollection } from './collection.js'
import { PluginSession } from './plugin-session.js'

let folder: string
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'ift-collection-'))
})
afterEach(() => {
  rmSync(folder, { recursive: true, force: true })
})

const card = {
  name: 'tea',
  title: 'Tea',
  description: 'questions about tea.',
  datasets: { tea: { description: 'All.' }, 'tea-green': { description: 'Green.', tags: tags('CN') } },
  tags: tags('EN'),
  kind: ['instruction'],
  license: { id: 'MIT' },
  upstream: [{ url: 'https://example.org/tea' }, { hub: 'tea/green' }],
  citation: 'Tea 2026',
}
function tags(lang: 'EN' | 'CN') {
  return { lang: [lang], task: ['TS'], gen: ['HG'] }
}

const read = columns({ instruction: 'q', output: 'a' })
const one = (part: Partial<Part>) =>
  datasetsOf(
    defineCollection(
      { ...card, datasets: { tea: card.datasets.tea } },
      { tea: { files: ['data/tea.jsonl'], read, ...part } },
    ),
  )[0]!

const write = (name: string, ...records: unknown[]) => {
  mkdirSync(dirname(join(folder, name)), { recursive: true })
  writeFileSync(join(folder, name), records.map((record) => `${JSON.stringify(record)}\n`).join(''))
}
async function load(part: Partial<Part>, seed = 1, asked: Partial<DatasetContext> = {}) {
  const examples: unknown[] = []
  const dropped: string[] = []
  const context = folderContext(folder, seed, {
    dropped: (reason, where) => dropped.push(`${where.slice(folder.length + 1)} ${reason}`),
  })
  for await (const example of one(part).load({ ...context, ...asked })) examples.push(example)
  return { examples, dropped }
}
const example = (instruction: string, output = 'a') => ({ instruction, input: '', output })

test('datasets have the facts of the card; the first is the one that the package stands for', () => {
  const part = { files: ['tea.jsonl'], read }
  const plugin = defineCollection(card, { tea: part, 'tea-green': part })
  const { dataset } = new PluginSession(folder).use(plugin).hooks
  const definitions = dataset.added.map((name) => dataset.find(name)!)
  expect(definitions.map(({ name, tags: of, license, hub }) => [name, of.lang, license, hub])).toEqual([
    ['tea-green', ['CN'], 'MIT', 'tea/green'],
    ['tea', ['EN'], 'MIT', 'tea/green'],
  ])
  expect(definitions[1]!.source).toBe('https://example.org/tea, tea/green; Tea 2026')
})

test('a card is read from its file, and faults are named', () => {
  const file = pathToFileURL(join(folder, 'card.json'))
  const part = { files: ['tea.jsonl'], read }
  write('card.json', card)
  expect(datasetsOf(defineCollection(file, { tea: part, 'tea-green': part }))).toHaveLength(2)
  write('card.json', { ...card, kind: ['poem'], licence: {}, upstream: [] })
  const failure = () => defineCollection(file, { tea: part, 'tea-green': part })
  expect(failure).toThrow(/card\.json: the card does not describe a dataset package:/)
  expect(failure).toThrow(/kind\.0: .*, found "poem"/)
  expect(failure).toThrow('unknown option "licence": did you mean "license"?')
  expect(failure).toThrow(/upstream: /)
  for (const [name, content, reason] of [
    ['none.json', null, 'no such file'],
    ['cut.json', '{"name": "tea"', 'JSON'],
    ['list.json', '[]', 'expected a JSON object, found a list'],
    ['long.json', JSON.stringify({ ...card, title: 'x'.repeat(2 ** 21) }), '1048576'],
  ] as const) {
    if (content !== null) writeFileSync(join(folder, name), content)
    const wrong = () => defineCollection(pathToFileURL(join(folder, name)), { tea: part })
    expect(wrong).toThrow(expect.objectContaining({ code: 'IFT_PLUGIN_MANIFEST' }))
    expect(wrong).toThrow(`${join(folder, name)}: the card does not describe a dataset package:\n  - `)
    expect(wrong).toThrow(reason)
  }
  expect(() => defineCollection(new URL('https://example.org/card.json'), { tea: part })).toThrow(
    expect.objectContaining({ code: 'IFT_PLUGIN_MANIFEST' }),
  )
  expect(() => defineCollection(card, { tea: part })).toThrow(
    'describes the dataset "tea-green", of which there is no part',
  )
  expect(() => defineCollection(card, { tea: part, 'tea-green': part, coffee: part })).toThrow(
    'a part "coffee"',
  )
  expect(() => defineCollection({ ...card, datasets: {} }, {})).toThrow('at least one dataset')
})

test('a file is found by its path or its name; records without an example are told', async () => {
  write('tea.jsonl', { q: 'b', a: 'a' }, { q: '', a: 'a' }, { q: 'c', a: [] }, { q: 'd', a: 'a' })
  expect(await load({})).toEqual({
    examples: [example('b'), example('d')],
    dropped: ['tea.jsonl:2 no question', 'tea.jsonl:3 no answer'],
  })
  write('data/tea.jsonl', { q: 'first', a: 'a' })
  expect((await load({})).examples).toEqual([example('first')])
})

test('other names, several files, some of them absent', async () => {
  write('two.jsonl', { q: '2', a: 'a' })
  write('three.jsonl', { answer: 'x', q: '3' })
  const three = { names: ['3.jsonl', 'three.jsonl'], read: columns({ instruction: 'q', output: 'answer' }) }
  const files = [['one.jsonl', 'two.jsonl'], three, 'four.jsonl']
  expect((await load({ files, some: true })).examples).toEqual([example('2'), example('3', 'x')])
  await expect(load({ files })).rejects.toMatchObject({
    code: 'IFT_SOURCE_NOT_FOUND',
    message: expect.stringContaining('The dataset tea: a file is missing: four.jsonl.') as string,
  })
})

test("where no file is there, the original's converted file is read, under its own hub id", async () => {
  const asked: (readonly [string, string | undefined])[] = []
  const converted = ['tea/tea.json', 'tea/tea_data.json']
  write('tea_data.json', { instruction: 'q', input: 'i', output: 'o' })
  const context = folderContext(folder, 1)
  const examples = []
  for await (const made of one({ converted, keep: () => false }).load({
    ...context,
    file: (name, hub) => {
      asked.push([name, hub])
      return context.file(name)
    },
  }))
    examples.push(made)
  expect(examples).toEqual([{ instruction: 'q', input: 'i', output: 'o' }])
  expect(asked).toEqual([
    ['data/tea.jsonl', undefined],
    ['tea.jsonl', undefined],
    ...['tea/tea.json', 'tea.json', 'tea/tea_data.json', 'tea_data.json'].map((name) => [
      name,
      'QingyiSi/Alpaca-CoT',
    ]),
  ])
  rmSync(join(folder, 'tea_data.json'))
  await expect(load({ converted })).rejects.toThrow(
    /none of the files was found: data\/tea\.jsonl, tea\/tea\.json, tea\/tea_data\.json\. .*tea\.jsonl: no such file/,
  )
})

test('a file of which no record fits is refused with its place, reasons and fields', async () => {
  write('tea.jsonl', { frage: 'b', antwort: 'a' }, { frage: 'c' }, { q: 'x' })
  await expect(load({})).rejects.toMatchObject({
    code: 'IFT_DATA_RECORD',
    message: `${join(folder, 'tea.jsonl')}:1: no record of the file gives an example of tea (2 no question, 1 no answer); the fields of the first are frage, antwort.`,
  })
  await expect(load({})).rejects.toMatchObject({
    hint: expect.stringContaining(`{ path: ${JSON.stringify(join(folder, 'tea.jsonl'))} }`) as string,
  })
  write('tea.jsonl')
  expect(await load({})).toEqual({ examples: [], dropped: [] })
})

test('a record of which nothing is made is counted', async () => {
  write('tea.jsonl', { q: 'b', a: 'a' }, { q: 'c', a: 'a' })
  const none: Part['read'] = (record) => ((record as { q: string }).q === 'b' ? [] : example('c'))
  expect(await load({ read: none })).toEqual({
    examples: [example('c')],
    dropped: ['tea.jsonl:1 no example'],
  })
  await expect(load({ read: () => [] })).rejects.toMatchObject({
    code: 'IFT_DATA_RECORD',
    message: expect.stringContaining('(2 no example)') as string,
  })
  expect((await load({ read: firstOf(none, read) })).examples).toEqual([example('b'), example('c')])
  writeFileSync(join(folder, 'tea.json'), JSON.stringify({ q: 'x', example: [{ q: 'c', a: 'a' }] }))
  expect((await load({ files: ['tea.json'], read: none })).examples).toEqual([example('c')])
})

test('records of other datasets in the same file are passed over and not counted', async () => {
  write('tea.jsonl', { q: 'b', a: 'a', kind: 'x' }, { q: '', kind: 'y' })
  expect(await load({ keep: ({ kind }) => kind === 'x' })).toEqual({ examples: [example('b')], dropped: [] })
})

test('an object that holds the records, and an object that is one', async () => {
  writeFileSync(join(folder, 'tea.json'), JSON.stringify({ title: 't', example: [{ q: 'b', a: 'a' }] }))
  expect((await load({ files: ['tea.json'] })).examples).toEqual([example('b')])
  const whole = columns({
    instruction: 'title',
    output: (record) => (record as { example?: unknown[] }).example?.length,
  })
  expect((await load({ files: ['tea.json'], read: whole })).examples).toEqual([example('t', '1')])
})

test('choices of a record do not depend on what was read before it', async () => {
  const drawn = columns({ instruction: 'q', output: (_, { random }) => random('x').bits() })
  const rows = Array.from({ length: 20 }, (_, i) => ({ q: `${i}`, a: 'a' }))
  write('tea.jsonl', ...rows)
  const whole = await load({ read: drawn })
  expect(new Set(whole.examples.map((made) => (made as { output: string }).output)).size).toBe(20)
  expect(await load({ read: drawn })).toEqual(whole)
  expect(await load({ read: drawn }, 2)).not.toEqual(whole)
})

test('a converter that throws is named with the place of the record', async () => {
  write('tea.jsonl', { q: 'b', a: 'a' }, { q: 1, a: 'a' })
  const careless = columns({ instruction: (record) => (record as { q: string }).q.trim(), output: 'a' })
  const failed = {
    code: 'IFT_PLUGIN_FAILED',
    message: expect.stringContaining('tea.jsonl:2: the dataset tea') as string,
  }
  await expect(load({ read: careless })).rejects.toMatchObject(failed)
  const keep = ({ q }: Readonly<Record<string, unknown>>) => (q as string).trim() !== ''
  await expect(load({ keep })).rejects.toMatchObject(failed)
})

test('a pattern stands for all files that it matches, without splits and those that no list names', async () => {
  for (const name of ['a_train', 'b_train', 'c_test']) write(`tea/${name}.jsonl`, { q: name, a: 'a' })
  const files = ['tea/*.jsonl']
  const questions = async (part: Partial<Part>) =>
    (await load({ files, ...part })).examples.map((made) => (made as { instruction: string }).instruction)
  expect(await questions({})).toEqual(['a_train', 'b_train', 'c_test'])
  expect(await questions({ omit: /_test/ })).toEqual(['a_train', 'b_train'])
  await expect(load({ files, listed: 'names.txt' })).rejects.toMatchObject({
    code: 'IFT_SOURCE_NOT_FOUND',
    message: expect.stringContaining('the list of its files is missing: names.txt') as string,
  })
  write('other.json', { instruction: 'q', input: '', output: 'a' })
  await expect(load({ files: ['leaves.jsonl'], converted: ['green/*.json'] })).rejects.toMatchObject({
    code: 'IFT_SOURCE_NOT_FOUND',
  })
  writeFileSync(join(folder, 'names.txt'), 'b_train\r\n c_test\nd\n')
  expect(await questions({ listed: 'lists/names.txt' })).toEqual(['b_train', 'c_test'])
  await expect(load({ files, listed: 'names.txt', omit: /^[bc]/ })).rejects.toMatchObject({
    code: 'IFT_DATA_SPLIT',
    message: expect.stringContaining('none of 3 files is of those that it reads') as string,
  })
  await expect(load({ files: ['coffee/*.jsonl'] })).rejects.toMatchObject({ code: 'IFT_SOURCE_NOT_FOUND' })
  write('tea/a_train.jsonl', { q: '' })
  expect(await questions({ omit: /_test/ })).toEqual(['b_train'])
})

test('some records of each file, chosen by the seed, with the choices that they have among all', async () => {
  const drawn = columns({ instruction: 'q', output: (_, { random }) => random('x').bits() })
  const rows = (from: number) => Array.from({ length: 50 }, (_, i) => ({ q: String(from + i) }))
  write('tea/a.jsonl', ...rows(0))
  write('tea/b.jsonl', ...rows(50))
  const part = { files: ['tea/*.jsonl'], read: drawn }
  const all = await load(part)
  const some = await load({ ...part, perFile: 20 })
  expect(all.examples).toEqual(expect.arrayContaining(some.examples))
  const numbers = some.examples.map((made) => Number((made as { instruction: string }).instruction))
  expect(numbers).toEqual(numbers.toSorted((a, b) => a - b))
  expect(numbers.filter((n) => n < 50)).toHaveLength(20)
  expect(numbers.filter((n) => n >= 50)).toHaveLength(20)
  expect(await load({ ...part, perFile: 20 }, 2)).not.toEqual(some)
  expect(await load({ ...part, perFile: 100 })).toEqual(all)
})

test('records inside of a list of a record', async () => {
  const task = { q: 'outer', list: [{ a: '1' }, { q: 'own', a: '2' }, 3], other: [{}] }
  writeFileSync(join(folder, 'task1.json'), JSON.stringify(task))
  writeFileSync(join(folder, 'task2.json'), JSON.stringify({ q: 'none', list: [] }))
  writeFileSync(join(folder, 'task3.json'), JSON.stringify({ q: 'none' }))
  expect(await load({ files: ['task*.json'], inside: 'list' })).toEqual({
    examples: [example('outer', '1'), example('own', '2')],
    dropped: ['task1.json:1 list[2] no answer', 'task3.json:1 no answer'],
  })
})

test('records one after another as one', async () => {
  const all = columns({
    instruction: (record) => (record as { records: { q: string }[] }).records.map(({ q }) => q),
    output: () => 'a',
  })
  write(
    'tea.jsonl',
    { q: '1', id: 1 },
    { q: '2', id: 1 },
    { q: '3' },
    { q: '4' },
    { q: '5', id: 1 },
    { q: '6', id: 2 },
  )
  const part = { files: ['tea.jsonl'], group: 'id', read: all }
  const questions = ['1, 2', '3', '4', '5', '6']
  expect(await load(part)).toEqual({ examples: questions.map((q) => example(q)), dropped: [] })
  write('tea.jsonl', ...Array.from({ length: 1001 }, () => ({ q: '1', id: 1 })))
  expect((await load(part)).examples).toHaveLength(2)
  writeFileSync(join(folder, 'tea.jsonl'), '[{"q":"1"},{"q":"2"}]\n{"q":"3","id":7}\n')
  expect((await load({ ...part, lists: 'records' })).examples).toEqual([example('1, 2'), example('3')])
  writeFileSync(join(folder, 'tea.json'), '{"q":"1","id":7}')
  expect((await load({ ...part, files: ['tea.json'] })).examples).toEqual([example('1')])
})

test('lists in the place of records, and files whose names do not tell what they are', async () => {
  const pair = alternating('pair')
  writeFileSync(join(folder, 'tea.json'), '[["a","b"],\n["c"]]')
  await expect(load({ files: ['tea.json'], read: pair })).rejects.toMatchObject({ code: 'IFT_DATA_RECORD' })
  expect((await load({ files: ['tea.json'], read: pair, lists: 'pair' })).dropped).toEqual([
    'tea.json:2 no turn',
  ])
  writeFileSync(join(folder, 'tea_auto'), '{"demo":[{"q":"1","a":"a"}]}')
  await expect(load({ files: ['tea_*'] })).rejects.toMatchObject({ code: 'IFT_DATA_CONTAINER' })
  expect((await load({ files: ['tea_*'], kind: '.json' })).examples).toEqual([example('1')])
})

test('a file that is found under two names is read once', async () => {
  write('tea.jsonl', { q: 'b', a: 'a' })
  expect((await load({ files: ['x/tea.jsonl', 'y/tea.jsonl'], some: true })).examples).toEqual([example('b')])
})

test('bytes that are no text in the encoding', async () => {
  const head = Buffer.from('q,a\nb,a\n')
  writeFileSync(join(folder, 'tea.csv'), Buffer.concat([head, Buffer.of(0xcf, 0xff), Buffer.from(',a\n')]))
  const part = { files: ['tea.csv'], encoding: 'gb18030' }
  await expect(load(part)).rejects.toMatchObject({ code: 'IFT_DATA_ENCODING' })
  expect((await load({ ...part, undecodable: 'replace' })).examples).toEqual([
    example('b'),
    example('\ufffd'),
  ])
})

test('a dataset of a hub repository of its own, and whose number a size is', () => {
  const size = { count: 3, unit: 'leaves', by: 'README' }
  const plugin = defineCollection(
    { ...card, datasets: { tea: { description: 'All.', hub: 'tea/all', size } } },
    { tea: { files: ['tea.jsonl'] } },
  )
  expect(datasetsOf(plugin)[0]).toMatchObject({ hub: 'tea/all', size: { count: 3, unit: 'leaves' } })
  expect(datasetsOf(plugin)[0]!.size).not.toHaveProperty('by')
})

test('facts of a dataset that others published', () => {
  const own = {
    description: 'Green.',
    license: { id: 'CC0-1.0' },
    upstream: [{ url: 'https://example.org/green' }],
    citation: 'Green 2026',
    original: { count: 3, unit: 'questions' },
    warnings: ['It is green.'],
  }
  const given = checkCard(
    { ...card, warnings: ['It is hot.'], datasets: { ...card.datasets, 'tea-green': own } },
    'card.json',
  )
  expect(datasetFacts(given, 'tea-green')).toEqual({
    ...own,
    tags: card.tags,
    license: { id: 'CC0-1.0', terms: [] },
    upstream: [{ url: 'https://example.org/green', files: [] }],
    contains: [],
    evaluation: [],
    warnings: ['It is hot.', 'It is green.'],
  })
  expect(datasetFacts(given, 'tea')).toMatchObject({
    license: { id: 'MIT' },
    hub: 'tea/green',
    warnings: ['It is hot.'],
  })
  const [, green] = datasetsOf(
    defineCollection(given, { tea: { files: ['a.json'] }, 'tea-green': { files: ['a.json'] } }),
  )
  expect(green).toMatchObject({ license: 'CC0-1.0', source: 'https://example.org/green; Green 2026' })
  expect(green).not.toHaveProperty('hub')
})

describe('files that records refer to', () => {
  const text = (name: string, content: string) => {
    mkdirSync(dirname(join(folder, name)), { recursive: true })
    writeFileSync(join(folder, name), content)
  }
  const joined = (join: Part['join']) => ({
    join: join!,
    read: columns({
      instruction: 'q',
      output: (record) => JSON.stringify((record as { more?: unknown }).more),
    }),
  })
  const outputs = async (...of: Parameters<typeof load>) => {
    const { examples, dropped } = await load(...of)
    return [examples.map((made) => JSON.parse((made as { output: string }).output) as unknown), dropped]
  }

  test('a table, an object and a record', async () => {
    write('data/tea.jsonl', { q: 'a', id: 7, path: 'x/1.csv' }, { q: 'b', id: '8', path: 'x/2.csv' })
    text('x/1.csv', 'n,n\n"a \\"b\\"",1\n')
    text('x/1.json', '{\n"k": [1]\n}')
    write('all.jsonl', { id: 8, v: 'eight' }, { id: 7, v: 'seven' }, { id: 7, v: 'again' })
    const gone = 'data/tea.jsonl:2 no answer'
    expect(await outputs(joined({ more: rowsOfFile('path', { escape: '\\' }) }))).toEqual([
      [
        [
          ['n', 'n'],
          ['a "b"', '1'],
        ],
      ],
      [gone],
    ])
    const path = (record: unknown) => ['y/1.json', `x/${(record as { id: unknown }).id === 7 ? 1 : 2}.json`]
    expect(await outputs(joined({ more: objectOfFile(path) }))).toEqual([[{ k: [1] }], [gone]])
    expect(await outputs(joined({ more: recordOfFile(() => 'all.jsonl', { key: 'id', by: 'id' }) }))).toEqual(
      [
        [
          { id: 7, v: 'seven' },
          { id: 8, v: 'eight' },
        ],
        [],
      ],
    )
  })

  test('a file that all records need, by the split', async () => {
    write('data/tea.jsonl', { q: 'a', id: 'x', a: 'a' }, { q: 'b', id: 'y', a: 'a' })
    text('train_id.json', '["y"]')
    text('val_id.json', '["x"]')
    const part = {
      splits: { val: ['more.jsonl'] },
      join: { isKept: isInFile((split) => `${split}_id.json`, 'id') },
      keep: ({ isKept }: Readonly<Record<string, unknown>>) => isKept === true,
    }
    expect((await load(part)).examples).toEqual([example('b')])
    write('more.jsonl', { q: 'c', id: 'x', a: 'a' }, { q: 'd', id: 'y', a: 'a' })
    expect((await load(part, 1, { split: 'val' })).examples).toEqual([example('c')])
    rmSync(join(folder, 'train_id.json'))
    await expect(load(part)).rejects.toMatchObject({
      code: 'IFT_SOURCE_NOT_FOUND',
      message: expect.stringContaining(
        'a file that its records refer to is missing: train_id.json',
      ) as string,
    })
  })

  test('paths of records stay within the set; where no record has its file, the first of them is named', async () => {
    const paths = [
      '../out.csv',
      '/etc/passwd.csv',
      'x/../../out.csv',
      'C:/out.csv',
      'x\\out.csv',
      'x//out.csv',
      'hf:a/b/c.csv',
      'x/9.csv',
    ]
    write('data/tea.jsonl', ...paths.map((path) => ({ q: 'a', path })))
    const asked: string[] = []
    const context = folderContext(folder, 1)
    await expect(
      load(joined({ more: rowsOfFile('path') }), 1, {
        file: (name) => {
          asked.push(name)
          return context.file(name)
        },
      }),
    ).rejects.toMatchObject({
      code: 'IFT_DATA_RECORD',
      message: expect.stringMatching(
        /\(8 no answer\); the fields of the first are q, path, more\. .*9\.csv: no such file/,
      ) as string,
    })
    expect(asked).toEqual(['data/tea.jsonl', 'x/9.csv'])
  })

  test('what is wrong with such a file is its own error; a join that throws is that of the package', async () => {
    write('data/tea.jsonl', { q: 'a', path: 'x/1.json' })
    text('x/1.json', '{"k": ')
    await expect(load(joined({ more: objectOfFile('path') }))).rejects.toMatchObject({
      code: 'IFT_DATA_SYNTAX',
    })
    const careless = () => Promise.reject(new TypeError('x'))
    await expect(load(joined({ more: careless }))).rejects.toMatchObject({ code: 'IFT_PLUGIN_FAILED' })
  })
})

test('records that a function makes of one', async () => {
  writeFileSync(join(folder, 'tea.json'), JSON.stringify({ x: [['a', 'b']], y: [['c']] }))
  const inside: Part['inside'] = (record) =>
    Object.values(record).every(Array.isArray)
      ? Object.values(record).flatMap((lists) => (lists as string[][])[0]!.map((q) => ({ q, a: 'a' })))
      : undefined
  expect((await load({ files: ['tea.json'], inside })).examples).toEqual([
    example('a'),
    example('b'),
    example('c'),
  ])
})

test('options reach the converter with their defaults', async () => {
  write('tea.jsonl', { q: 'b' })
  const options = strictObject({ tone: oneOfTexts(['low', 'high']).default('low') })
  const read = columns({ instruction: 'q', output: (_, { options: set }) => set?.['tone'] })
  expect(one({ options }).options).toBe(options)
  expect((await load({ options, read })).examples).toEqual([example('b', 'low')])
  expect((await load({ options, read }, 1, { options: { tone: 'high' } })).examples).toEqual([
    example('b', 'high'),
  ])
})
