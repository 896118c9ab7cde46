import { expect, test } from 'vitest'
import { selectDatasets } from '../data/selection/index.js'
import { checkCard } from './card.js'
import { catalogue, cataloguePackage } from './catalogue.js'
import { catalogueDatasets } from './known-datasets.js'

/** Packages of what a selection lists, tables aside. */
const packages = (query: string) => [
  ...new Set(
    selectDatasets(catalogueDatasets(catalogue()), `${query} -kind:table`, { purpose: 'all' }).map(
      ({ package: of }) => of!.replace('@ift/dataset-', ''),
    ),
  ),
]

test('what is Chinese is what the table of the original platform says', () => {
  // Rows of its table with CN or EN/CN. Of xP3, which has many languages there, the Chinese file is a dataset of its own.
  const rows = {
    'Chain of Thought': 'cot',
    HC3: 'hc3',
    belle_cn: 'belle',
    instinwild: 'instinwild',
    firefly: 'firefly',
    Alpaca_GPT4: 'alpaca-gpt4',
    GAOKAO: 'gaokao',
    'COIG(FlagInstruct)': 'coig',
    MOSS: 'moss',
    'Chinese-medical': 'chinese-medical',
    CSL: 'csl',
    pCLUE: 'pclue',
    news_commentary: 'news-commentary',
  }
  expect(packages('lang:cn')).toEqual([...Object.values(rows), 'xp3'].sort())
  expect(packages('lang:ml')).toEqual(['guanaco', 'natural-instructions', 'xp3'])
})

test('its human-made sets, and its Chinese ones by self-instruction', () => {
  expect(packages('gen:hg')).toEqual(['cot', 'dolly', 'gsm8k', 'stack-exchange'])
  expect(packages('lang:cn gen:si')).toEqual(['alpaca-gpt4', 'belle', 'instinwild', 'moss'])
})

const card = {
  name: 'tea',
  title: 'Tea',
  description: 'questions about tea.',
  datasets: {
    tea: { description: 'All.', size: { count: 7, unit: 'cups' } },
    'tea-green': {
      description: 'Green.',
      variantOf: 'tea',
      evaluation: ['the test cups'],
      tags: { lang: ['CN'], task: ['TS'], gen: ['HG'] },
    },
  },
  tags: { lang: ['EN'], task: ['TS'], gen: ['HG'] },
  kind: ['instruction'],
  license: { id: 'MIT' },
  upstream: [{ hub: 'tea/green' }],
  original: { count: 9, unit: 'bags' },
}
const entry = (of: object) =>
  cataloguePackage({ package: '@x/tea', description: '', provides: { dataset: {} }, card: of } as never)

test('a dataset has what its card says of it, where it differs from the whole', () => {
  const [tea, green] = catalogueDatasets([entry(card)], (of) => of === '@x/tea')
  expect(tea).toMatchObject({ name: 'tea', count: 7, unit: 'cups', evaluation: [], installed: true })
  expect(tea).toMatchObject({ tags: { lang: ['EN'] }, variantOf: null, title: 'Tea' })
  expect(green).toMatchObject({ count: null, variantOf: 'tea', tags: { lang: ['CN'] } })
  expect(green!.evaluation).toEqual(['the test cups'])
  const [one] = catalogueDatasets([entry({ ...card, datasets: { tea: { description: 'All.' } } })])
  expect(one).toMatchObject({ count: 9, unit: 'bags', installed: false })
})

test('a variant is one of another dataset of the card', () => {
  for (const variantOf of ['coffee', 'tea-green'])
    expect(() =>
      checkCard(
        { ...card, datasets: { ...card.datasets, 'tea-green': { description: 'Green.', variantOf } } },
        'card.json',
      ),
    ).toThrow(
      `datasets.tea-green.variantOf: expected another dataset of the card (tea, tea-green), found ${variantOf}`,
    )
})
