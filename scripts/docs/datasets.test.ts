import { existsSync, readFileSync } from 'node:fs'
import { fileURLToPath } from 'node:url'
import { expect, test } from 'vitest'
import { catalogue, catalogueDatasets } from '@ift/core'
import { datasetsPage, pageLanguages } from './datasets.mjs'

const root = fileURLToPath(new URL('../..', import.meta.url))
const datasets = catalogueDatasets(catalogue())
const read = (code: string) =>
  readFileSync(`${root}docs/${code === 'en' ? 'datasets.md' : `datasets.${code}.md`}`, 'utf8')

test.each(pageLanguages)('the page of datasets is what the cards say, %s (node scripts/docs.mjs)', (code) => {
  expect(read(code)).toBe(datasetsPage(datasets, code))
})

test.each(pageLanguages)(
  'every dataset has its row with all columns, and a package that is there, %s',
  (code) => {
    const page = read(code)
    const rows = page.split('\n').filter((line) => line.startsWith('| `'))
    expect(rows.map((row) => /`([^`]+)`/.exec(row)![1])).toEqual(datasets.map(({ name }) => name))
    const header = page.split('\n').find((line) => line.startsWith('| '))!
    for (const row of rows) expect(row.split(' | '), row).toHaveLength(header.split(' | ').length)
    for (const [, path] of page.matchAll(/\]\(\.\.\/(packages[^)]+)\)/g))
      expect(existsSync(`${root}${path}`)).toBe(true)
  },
)

test('the Chinese page has a word for every tag, form and unit', () => {
  const rows = datasetsPage(datasets, 'zh-CN')
    .split('\n')
    .filter((line) => line.startsWith('| `'))
  for (const row of rows) {
    const [, , , ...cells] = row.split(' | ')
    const [task, gen, form, records] = cells
    for (const text of [task, gen, form, records!.replaceAll(/[\d,]+ ?/g, '')])
      expect(text, row).not.toMatch(/[A-Za-z]/)
  }
})

test('the Chinese page reads as Chinese: every dataset is described in it, and no English sentence is left', () => {
  const page = datasetsPage(datasets, 'zh-CN')
  for (const { name, facts } of datasets) {
    expect(facts?.zh, name).toMatch(/\p{Script=Han}{2}/u)
    expect(page).toContain(facts!.zh!.replaceAll('|', '\\|'))
  }
  for (const line of page.split('\n').map((text) => text.replaceAll(/`[^`]*`|\([^)]*\)/g, '')))
    expect(line).not.toMatch(/[a-z]+ [a-z]+ [a-z]+/)
})
