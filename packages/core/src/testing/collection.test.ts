import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { pathToFileURL } from 'node:url'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { IftError } from '@ift/tensor'
import { columns, type Part, type Read } from '../data/collection/index.js'
import { defineCollection } from '../plugin/collection.js'
import { collectionConformance } from './collection.js'

let folder: string
const write = (name: string, value: unknown) => {
  writeFileSync(join(folder, name), JSON.stringify(value))
}
const card = {
  name: 'tea',
  title: 'Tea',
  description: 'questions about tea.',
  datasets: { tea: { description: 'All.' } },
  tags: { lang: ['EN'], task: ['TS'], gen: ['HG'] },
  kind: ['instruction'],
  license: { id: 'MIT' },
  upstream: [{ url: 'https://example.org/tea' }],
}
const facts = { description: 'All.', license: 'MIT', tags: card.tags }
const good = {
  examples: [{ instruction: 'a', input: '', output: 'b' }],
  dropped: { 'no answer': 2 },
}
const records = [{ q: 'a', a: 'b' }, { q: 'c' }, { q: 'g', a: '' }]

beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), 'ift-kit-'))
  mkdirSync(join(folder, 'fixtures/raw'), { recursive: true })
  write('card.json', card)
  write('package.json', { name: 'x', ift: { provides: { dataset: { tea: facts } } } })
  write('fixtures/raw/tea.json', records)
  write('fixtures/raw/more.jsonl', { q: 'd', a: 'e' })
  mkdirSync(join(folder, 'fixtures/raw/in'))
  writeFileSync(join(folder, 'fixtures/raw/in/head.csv'), 'q,a\r\n"f, ""g""\n#1",h\r\n')
  writeFileSync(join(folder, 'fixtures/raw/plain.tsv'), 'i\tj#1\nk\tl#2\nm\tn#3\n')
})
afterAll(() => {
  rmSync(folder, { recursive: true, force: true })
})

/** Names of the cases that fail. */
async function failing(of: Read | Part, expected: object = good): Promise<string[]> {
  write('fixtures/tea.raw.json', expected)
  const part = typeof of === 'function' ? { files: ['tea.json'], read: of } : of
  const plugin = defineCollection(card, { tea: part })
  const failed: string[] = []
  for (const { name, run } of collectionConformance(plugin, pathToFileURL(`${folder}/`)))
    await run().catch(() => failed.push(name))
  return failed
}
const read = columns({ instruction: 'q', output: 'a' })
const golden = 'tea: what the raw files give is what fixtures say, and every other record has its reason'
const few = 'tea: the raw files have 3 records or more'
const total = 'tea: records with fields of other kinds give an example, or a reason'

test('a sound package passes', async () => {
  expect(await failing(read)).toEqual([])
})

test('other examples, and reasons that are not expected', async () => {
  expect(await failing(read, { ...good, examples: [] })).toEqual([golden])
  expect(await failing(read, { examples: good.examples })).toEqual([golden])
})

test('fewer records than show what a set looks like', async () => {
  const two = { files: ['more.jsonl', 'in/head.csv'], read }
  expect(await failing(two, { examples: [example('d', 'e'), example('f, "g"\n#1', 'h')] })).toEqual([few])
})

test('a converter that throws, one that gives no text, one whose choices do not follow the seed', async () => {
  const careless = (record: unknown) => (record as { q: string }).q.trim()
  expect(await failing(columns({ instruction: careless, output: 'a' }))).toEqual([total])
  const loose: Read = (record, context) => {
    const made = read(record, context)
    return 'dropped' in made && made.dropped === 'no question'
      ? { instruction: '', input: '', output: '' }
      : made
  }
  expect(await failing(loose)).toEqual([total])
  let calls = 0
  const counted = columns({ instruction: 'q', output: () => `${calls++}` })
  expect(await failing(counted)).toContain('tea: the same seed gives the same examples in the same order')
})

const example = (instruction: string, output: string) => ({ instruction, input: '', output })
const careless = columns({ instruction: (record) => (record as { q: string }).q.trim(), output: 'a' })
const cut = 'tea: an empty file and a file that was cut give fewer examples, or an IftError'

test.each([
  ['the first', ['tea.json', { names: 'more.jsonl', read }], careless],
  ['the second', [{ names: 'tea.json', read }, 'more.jsonl'], careless],
] as const)('of two files that are both needed, %s has a careless converter', async (_name, files, of) => {
  const expected = { ...good, examples: [...good.examples, example('d', 'e')] }
  expect(await failing({ files: [...files], read: of }, expected)).toEqual([total])
  expect(await failing({ files: ['tea.json', 'more.jsonl'], read }, expected)).toEqual([])
})

test('tables are damaged, with a header and without, beside a file of another kind', async () => {
  const number = (field: string) => (record: unknown) =>
    (record as Record<string, string>)[field]!.split('#')[1]!.trim()
  const csv = { names: 'in/head.csv', read: columns({ instruction: number('q'), output: 'a' }) }
  const ofCsv = { ...good, examples: [...good.examples, example('1', 'h')] }
  // Cut in the middle, its quotes do not end, which the reader refuses.
  expect(await failing({ files: ['tea.json', csv], read }, ofCsv)).toEqual([total])
  const whole = { ...good, examples: [...good.examples, example('f, "g"\n#1', 'h')] }
  expect(await failing({ files: ['tea.json', 'in/head.csv'], read }, whole)).toEqual([])

  const header = ['q', 'a']
  const tsv = { files: ['plain.tsv'], header }
  const ofTsv = { examples: [example('i', 'j#1'), example('k', 'l#2'), example('m', 'n#3')] }
  expect(await failing({ ...tsv, read }, ofTsv)).toEqual([])
  const answers = { examples: [example('i', '1'), example('k', '2'), example('m', '3')] }
  expect(
    await failing({ ...tsv, read: columns({ instruction: 'q', output: number('a') }) }, answers),
  ).toEqual([total, cut])
})

test('invented records stand for a file that is absent', async () => {
  write('fixtures/raw/new.invented.json', records)
  expect(await failing({ files: ['new.json'], read })).toEqual([])
  expect(await failing({ files: ['new.json'], read: careless })).toEqual([total])
  expect(await failing({ files: ['{new,old}.json'], read: careless })).toEqual([total])
})

test('what the converted file gives is said, of datasets that have one', async () => {
  mkdirSync(join(folder, 'fixtures/converted'))
  write('fixtures/converted/done.json', [{ instruction: 'a', input: '', output: 'b' }])
  const files = ['tea.json']
  expect(await failing({ files, read })).toEqual([])
  const converted = ['tea/done.json']
  const name =
    'tea: what the converted files give is what fixtures say, and every other record has its reason'
  expect(await failing({ files, read, converted })).toEqual([name])
  write('fixtures/tea.converted.json', { examples: good.examples })
  expect(await failing({ files, read, converted })).toEqual([])
  rmSync(join(folder, 'fixtures/converted'), { recursive: true })
})

test('every file that a pattern matches is damaged', async () => {
  const expected = { ...good, examples: [example('d', 'e'), ...good.examples] }
  const files = ['{more,tea}.json*']
  expect(await failing({ files, read }, expected)).toEqual([])
  expect(await failing({ files, read: careless }, expected)).toEqual([total])
})

test('a file that is not found although all are there is a fault', async () => {
  const lost = new IftError('IFT_SOURCE_NOT_FOUND', 'tea.json: no such file.')
  const made = (text: unknown) => {
    if (!['a', 'c', 'g'].includes(text as string)) throw lost
    return text
  }
  const loses: Read = (record, context) => {
    made((record as { q?: unknown }).q)
    return read(record, context)
  }
  expect(await failing(loses)).toEqual([total])
})
