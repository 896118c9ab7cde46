import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { afterEach, beforeEach, expect, test } from 'vitest'
import { columns, rowsOfFile, type Part } from '../data/collection/index.js'
import { enum as oneOfTexts, strictObject } from '../config/options.js'
import type { DataSource } from '../config/schema.js'
import { defineCollection } from '../plugin/collection.js'
import { PluginSession } from '../plugin/plugin-session.js'
import { findDatasets } from './find-datasets.js'

let folder: string
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'ift-find-datasets-'))
})
afterEach(() => {
  rmSync(folder, { recursive: true, force: true })
})

const card = {
  name: 'tea',
  title: 'Tea',
  description: 'questions about tea.',
  datasets: { tea: { description: 'All.' } },
  tags: { lang: ['EN'], task: ['TS'], gen: ['HG'] },
  kind: ['table'],
  license: { id: 'MIT' },
  upstream: [{ url: 'https://example.org/tea' }],
}

const write = (name: string, text: string) => {
  mkdirSync(dirname(join(folder, name)), { recursive: true })
  writeFileSync(join(folder, name), text)
}

async function outputs(part: Partial<Part>, source: Partial<DataSource>): Promise<readonly string[]> {
  const plugin = defineCollection(card, { tea: { files: ['train.jsonl'], ...part } })
  const entry = { name: 'tea', path: '.', encoding: 'utf-8', ...source }
  const [found] = await findDatasets(new PluginSession(folder).use(plugin), entry, 1)
  const made: string[] = []
  for await (const { example } of found!.examples()) made.push((example as { output: string }).output)
  return made
}

test('a file of a record is found in every split, under its own name', async () => {
  write('train.jsonl', '{"q": "a", "path": "train/1.csv"}')
  write('dev.jsonl', '{"q": "a", "path": "train/2.csv"}')
  write('others.jsonl', '{"q": "a", "path": "train/1.csv"}')
  write('train/1.csv', 'one')
  write('train/2.csv', 'two')
  const part: Partial<Part> = {
    splits: { test: ['others.jsonl'] },
    join: { rows: rowsOfFile('path') },
    read: columns({ instruction: 'q', output: (record) => (record as { rows?: string[][] }).rows?.[0] }),
  }
  expect(await outputs(part, {})).toEqual(['one'])
  expect(await outputs(part, { split: 'dev' })).toEqual(['two'])
  expect(await outputs(part, { split: 'test' })).toEqual(['one'])
  await expect(outputs(part, { split: 'val' })).rejects.toMatchObject({ code: 'IFT_SOURCE_NOT_FOUND' })
})

test('an archive that is absent is passed over', async () => {
  write('b.jsonl', '{"instruction": "a", "output": "b"}')
  expect(await outputs({ files: [['rows.zip!/a.jsonl', 'b.jsonl']] }, {})).toEqual(['b'])
  await expect(outputs({ files: ['rows.zip!/a.jsonl'] }, {})).rejects.toThrow(
    'The dataset tea: none of the files was found: rows.zip!/a.jsonl',
  )
})

test('options of a dataset are checked; files of records take none', async () => {
  write('train.jsonl', '{"q": "a"}')
  const part: Partial<Part> = {
    options: strictObject({ tone: oneOfTexts(['low', 'high']).default('low') }),
    read: columns({ instruction: 'q', output: (_, { options }) => options?.['tone'] }),
  }
  expect(await outputs(part, {})).toEqual(['low'])
  expect(await outputs(part, { options: { tone: 'high' } })).toEqual(['high'])
  const invalid = (message: string) => ({
    code: 'IFT_CONFIG_INVALID',
    message: expect.stringContaining(message) as string,
  })
  await expect(outputs(part, { options: { ton: 'high' } })).rejects.toMatchObject(
    invalid('unknown option "options.ton": did you mean "options.tone"?'),
  )
  await expect(outputs({}, { options: { tone: 'high' } })).rejects.toMatchObject(invalid('options.tone'))
  await expect(outputs(part, { name: undefined, path: 'train.jsonl', options: {} })).rejects.toMatchObject(
    invalid('which the datasets of packages take'),
  )
})

test("the original's converted file in ./data comes before a package, unless the entry asks for what only that has", async () => {
  write('data/finance_en.json', '[{"instruction": "a", "input": "", "output": "converted"}]')
  write('train.jsonl', '{"instruction": "a", "output": "raw"}')
  write('test.jsonl', '{"instruction": "a", "output": "held out"}')
  const read = columns({ instruction: 'instruction', output: 'output' })
  const options = strictObject({ tone: oneOfTexts(['low', 'high']).default('low') })
  const financial = { ...card, name: 'finance', datasets: { finance: { description: 'All.' } } }
  const plugin = defineCollection(financial, { finance: { files: ['train.jsonl'], read, options } })
  const outputOf = async (source: Partial<DataSource>) => {
    const entry = { name: 'finance', encoding: 'utf-8', ...source }
    const [found] = await findDatasets(new PluginSession(folder).use(plugin), entry, 1)
    for await (const { example } of found!.examples()) return (example as { output: string }).output
    return null
  }
  expect(await outputOf({})).toBe('converted')
  expect(await outputOf({ path: '.' })).toBe('raw')
  expect(await outputOf({ split: 'test' })).toBe('held out')
  expect(await outputOf({ options: { tone: 'high' } })).toBe('raw')
  rmSync(join(folder, 'data'), { recursive: true })
  expect(await outputOf({})).toBe('raw')
})

test('turns of an entry make samples of the answers of a conversation, of files and of packages, and are part of the key', async () => {
  const history = [['q1', 'a1']]
  write(
    'train.jsonl',
    JSON.stringify({ instruction: 'q2', input: '', output: 'a2', history, q: [['q1', 'a1']] }),
  )
  const read = (record: unknown) => record as { instruction: string; input: string; output: string }
  const plugin = defineCollection(card, { tea: { files: ['train.jsonl'], read } })
  const found = async (source: Partial<DataSource>, turns?: DataSource['turns']) => {
    const entry = { ...source, encoding: 'utf-8', ...(turns && { turns }) }
    const [one] = await findDatasets(new PluginSession(folder).use(plugin), entry, 1)
    const made: unknown[] = []
    for await (const { example } of one!.examples()) made.push((example as { output?: string }).output)
    return { made, key: one!.key ?? (await one!.keyWhenRead?.()) ?? null }
  }
  for (const source of [{ path: 'train.jsonl' }, { name: 'tea', path: '.' }]) {
    expect((await found(source)).made).toEqual(['a2'])
    expect((await found(source, 'whole')).key).toBe((await found(source)).key)
    expect((await found(source, 'alone')).made).toEqual(['a1', 'a2'])
  }
  const keys = await Promise.all(
    (['whole', 'each', 'alone'] as const).map(
      async (turns) => (await found({ path: 'train.jsonl' }, turns)).key,
    ),
  )
  expect(new Set(keys).size).toBe(3)
})
