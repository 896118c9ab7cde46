import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { expect, test } from 'vitest'
import { checkCard, type Card } from '@ift/core/collection'
import { datasetFolders } from '../datasets.mjs'
import { root } from '../workspace.mjs'

// Cards beside the table of the collection (fixtures/collection/table.json): the rows of the original platform, with what the
// publishers say of licences and numbers.

interface Row {
  readonly name: string
  readonly lang: readonly string[]
  readonly task: readonly string[]
  readonly gen: readonly string[]
  /** Records of the original's training files, and of those that it held back. */
  readonly count?: number
  readonly held?: number
  readonly unit?: string
  /** Numbers of the publishers. */
  readonly published?: string
  readonly license: string
  /** What else is said of the licence. */
  readonly besides?: string
  readonly terms: readonly string[]
  /** `org/name` on the hub or on GitHub. */
  readonly upstream: readonly string[]
}

const read = (path: string) => JSON.parse(readFileSync(join(root, path), 'utf8')) as unknown
const rows = read('fixtures/collection/table.json') as readonly Row[]
const cards = new Map(
  datasetFolders().map((folder) => {
    const card = checkCard(read(`${folder}/card.json`), folder)
    return [card.name, card]
  }),
)

/** Of a row: the card of a package, or what the card of the tables says of one of them. */
function described(
  row: Row,
): Pick<Card, 'tags' | 'license' | 'upstream' | 'original' | 'size'> & Partial<Card> {
  const own = cards.get(row.name)
  if (own !== undefined) return own
  const { tags, license, upstream, original, size } = cards.get('tabular')!.datasets[row.name]!
  return {
    tags: tags!,
    license: license!,
    upstream: upstream!,
    ...(original && { original }),
    ...(size && { size }),
  }
}

const numbers = (text: string) =>
  [...text.matchAll(/\d[\d,]*(?![\d,]*[.KM])/g)].map(([one]) => Number(one.replaceAll(',', '')))

/** What a card says otherwise than its row, by field. */
function differences(row: Row): Record<string, string> {
  const card = described(row)
  const { license, tags, original, upstream } = card
  const found: Record<string, string> = {}
  const compare = (field: string, said: unknown, expected: unknown) => {
    if (JSON.stringify(said) !== JSON.stringify(expected))
      found[field] = `${JSON.stringify(expected)} → ${JSON.stringify(said)}`
  }
  for (const field of ['lang', 'task', 'gen'] as const) compare(field, tags[field], row[field])
  compare('count', original?.count, row.count)
  compare('unit', original?.unit, row.count === undefined ? undefined : row.unit)
  compare('licence', license.id.replaceAll(' ', '-'), row.license.replaceAll(' ', '-'))
  compare('terms', license.terms, row.terms)
  const places = upstream.map(({ hub, url }) => hub ?? url ?? '')
  compare(
    'upstream',
    row.upstream.filter((id) => !places.some((place) => place.endsWith(id))),
    [],
  )
  const known = [row.count, row.held, ...numbers(row.published ?? '')]
  const sizes = [card.size, ...Object.values(card.datasets ?? {}).map(({ size }) => size)]
  // A number that the table has not is somebody's: the card says whose.
  compare(
    'sizes',
    sizes.flatMap((size) => (!size || size.by || known.includes(size.count) ? [] : [size.count])),
    [],
  )
  return found
}

/** Why a card says otherwise than the table, by row and field. */
const onPurpose: Readonly<Record<string, Readonly<Record<string, string>>>> = {
  alpaca: { upstream: 'its repository has the same rows as JSON; the copy on the hub is not read' },
  baize: { licence: 'the licence of the Data Provenance Initiative, as research alone has no identifier' },
  belle: { licence: 'the SPDX identifier' },
  camel: { upstream: 'the translated society has no form of its own that is known' },
  coig: { unit: 'it says how the answers were counted' },
  guanaco: { terms: 'made with text-davinci-003' },
  instinwild: { licence: 'the name of its licence' },
  instruct: { terms: 'holds gpt4all and alpaca, which have these terms' },
  moss: {
    licence: 'DATA_LICENSE of the repository is the stricter of the two that are stated for moss-002',
    upstream: 'a mirror of one of the two others',
  },
  nl2sql: { licence: 'the name of the publisher beside the terms' },
  sharegpt: { licence: 'the SPDX identifier' },
  tabmcq: { licence: 'it says that the version is not known' },
  ultrachat: { unit: 'the table has none', terms: 'written by two gpt-3.5-turbo' },
  webgpt: { terms: 'answers of GPT-3' },
  wikisql: { licence: 'the SPDX identifier' },
}

test('the table has a row of every package but those that the original has not, and every row is a set here', () => {
  expect(rows).toHaveLength(45)
  const named = new Set(rows.map(({ name }) => name))
  expect([...cards.keys()].filter((name) => !named.has(name))).toEqual(['gsm8k', 'tabular'])
  const tables = Object.keys(cards.get('tabular')!.datasets)
  for (const { name } of rows) expect(cards.has(name) || tables.includes(name), name).toBe(true)
})

test.each(rows.map((row) => [row.name, row] as const))(
  '%s: the card says what the table says, or differs on purpose',
  (name, row) => {
    const found = differences(row)
    expect(Object.keys(found).sort(), JSON.stringify(found)).toEqual(
      Object.keys(onPurpose[name] ?? {}).sort(),
    )
  },
)

// What sets hold of others, and what they hold that others evaluate on, as their publishers say.
const holds: Readonly<Record<string, readonly string[]>> = {
  'alpaca-gpt4': ['alpaca'],
  baize: ['alpaca'],
  coig: ['natural-instructions', 'unnatural-instructions', 'alpaca'],
  firefly: ['belle', 'cot-zh'],
  gpt4all: ['oig'],
  gpt4tools: ['alpaca-gpt4'],
  instruct: ['gpt4all', 'alpaca'],
  oig: ['gsm8k', 'hc3', 'xp3', 'flan-muffin', 'natural-instructions', 'p3', 'prosocial'],
}

test.each(Object.entries(holds))('%s: the card says which sets it holds', (name, sets) => {
  const { contains, datasets } = cards.get(name)!
  const said = [...contains, ...Object.values(datasets).flatMap((one) => one.contains)]
  expect(said.map((one) => one.split(':')[0])).toEqual(expect.arrayContaining([...sets]))
})

test.each([
  ['xp3', /validation and test splits/],
  ['auto-cot', /AQuA \(test\).*CommonsenseQA \(dev\)/],
  ['gaokao', /GAOKAO-Bench/],
])('%s: the card says which evaluation data it holds', (name, said) => {
  expect(cards.get(name)!.evaluation.join(', ')).toMatch(said)
})
