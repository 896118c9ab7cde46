import { expect, test } from 'vitest'
import { cataloguePackage, packageFor, type CataloguePackage } from './catalogue.js'

test('cards are checked when they are asked for, once', () => {
  let reads = 0
  const tags = { lang: ['EN'], task: ['TS'], gen: ['HG'] }
  const card = {
    name: 'tea',
    title: 'Tea',
    get description() {
      reads++
      return 'questions about tea.'
    },
    datasets: { tea: { description: 'All.' } },
    tags,
    kind: ['instruction'],
    license: { id: 'MIT' },
    upstream: [{ hub: 'tea/green' }],
  }
  const provides = { dataset: { tea: { description: 'All.', license: 'MIT', tags } } }
  const entry = (of: object) =>
    cataloguePackage({ package: '@x/tea', description: '', provides, card: of } as never)
  const good: CataloguePackage = entry(card)
  expect(packageFor('dataset', 'tea', [good])).toBe('@x/tea')
  expect(reads).toBe(0)
  expect(good.card).toMatchObject({ name: 'tea', contains: [] })
  const once = reads
  expect(good.card).toBe(good.card)
  expect(reads).toBe(once)
  const bad = entry({ ...card, kind: ['poem'] })
  expect(packageFor('dataset', 'tea', [bad])).toBe('@x/tea')
  expect(() => bad.card).toThrow(expect.objectContaining({ code: 'IFT_PLUGIN_MANIFEST' }))
})
