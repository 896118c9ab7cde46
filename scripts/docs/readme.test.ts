import { readFileSync } from 'node:fs'
import { fileURLToPath } from 'node:url'
import { expect, test } from 'vitest'
import { cells, fences, links } from './markdown.mjs'

const read = (file: string) => readFileSync(fileURLToPath(new URL(`../../${file}`, import.meta.url)), 'utf8')
const english = read('README.md')
const chinese = read('README.zh-CN.md')

/** Tables as the number of cells in each row; code, numbers and names without the words around them. */
const skeleton = (page: string) => ({
  headings: page.split('\n').flatMap((line) => /^#+ /.exec(line)?.[0] ?? []),
  rows: cells(page).map((row) => row.length),
  commands: fences(page).map(({ text }) => text.replaceAll(/ +#.*$/gm, '')),
  // The two pages link to each other, and nothing else differs.
  links: links(page)
    .map(({ target }) => target)
    .filter((target) => !/^README/.test(target))
    .sort(),
  packages: [...page.matchAll(/`(@ift\/[\w-]+|ift)`/g)].map(([, name]) => name).sort(),
  bullets: page.split('\n').filter((line) => line.startsWith('* ')).length,
})

test('README.zh-CN.md says what README.md says', () => {
  expect(skeleton(chinese)).toEqual(skeleton(english))
})

test('the speeds of both are measured ones', () => {
  const numbers = (row: readonly string[]) => row.slice(-4).join(' | ')
  // The table of bench/README.md has a column of runs besides.
  const measured = new Set(cells(read('bench/README.md')).map(numbers))
  for (const page of [english, chinese]) {
    const rows = cells(page).filter((row) => row.length === 5 && /^\d/.test(row[1]!))
    expect(rows).toHaveLength(8)
    for (const row of rows) expect(measured).toContain(numbers(row))
  }
})
