import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { pathToFileURL } from 'node:url'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { columns, type Read } from '../data/collection/index.js'
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
  dropped: { 'no answer': 1 },
}

beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), 'ift-kit-'))
  mkdirSync(join(folder, 'fixtures/raw'), { recursive: true })
  write('card.json', card)
  write('package.json', { name: 'x', ift: { provides: { dataset: { tea: facts } } } })
  write('fixtures/raw/tea.json', [{ q: 'a', a: 'b' }, { q: 'c' }])
})
afterAll(() => {
  rmSync(folder, { recursive: true, force: true })
})

/** Names of the cases that fail. */
async function failing(read: Read, expected: object = good): Promise<string[]> {
  write('fixtures/tea.raw.json', expected)
  const plugin = defineCollection(card, { tea: { files: ['tea.json'], read } })
  const failed: string[] = []
  for (const { name, run } of collectionConformance(plugin, pathToFileURL(`${folder}/`)))
    await run().catch(() => failed.push(name))
  return failed
}
const read = columns({ instruction: 'q', output: 'a' })
const golden = 'tea: what the raw files give is what fixtures say, and every other record has its reason'
const total = 'tea: records with fields of other kinds give an example, or a reason'

test('a sound package passes', async () => {
  expect(await failing(read)).toEqual([])
})

test('other examples, and reasons that are not expected', async () => {
  expect(await failing(read, { ...good, examples: [] })).toEqual([golden])
  expect(await failing(read, { examples: good.examples })).toEqual([golden])
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
