import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { afterAll, expect, test } from 'vitest'
import { caseFolder, root } from '../cases/ift.fixture.js'

const folder = caseFolder('data-list')
afterAll(() => {
  folder.remove()
})

interface Row {
  readonly name: string
  readonly package: string
  readonly marks: readonly string[]
  readonly evaluation: readonly string[]
}
const listed = (...query: string[]): Row[] => {
  const { installed, installable } = JSON.parse(folder.output('data', 'list', ...query, '--json')) as {
    installed: Row[]
    installable: Row[]
  }
  return [...installed, ...installable]
}
const names = (...query: string[]) => listed(...query).map(({ name }) => name)

test('terms of a selection are words of the line, those that deny with a hyphen too', () => {
  const chinese = names('lang:cn', 'gen:si')
  expect(chinese).toContain('belle')
  expect(chinese).toContain('moss-003')
  expect(chinese).not.toContain('alpaca')
  const [all, free] = [listed('lang:cn'), names('lang:cn', '-licence:nc')]
  expect(free).toEqual(all.filter(({ marks }) => !marks.includes('NC')).map(({ name }) => name))
  // Some are left and some are not, so that a word that does nothing, or denies everything, is seen.
  expect(free).toEqual(expect.arrayContaining(['chinese-medical', 'cot-zh', 'firefly']))
  for (const name of ['belle', 'alpaca-gpt4-zh', 'nl2sql']) {
    expect(free).not.toContain(name)
    expect(all.map((one) => one.name)).toContain(name)
  }
  expect(names('-licence:nc', 'lang:cn')).toEqual(free)
  expect(names('-licence:nc', 'lang:cn gen:col')).toEqual(names('lang:cn', '-licence:nc', 'gen:col'))
  expect(names('语言:中文', '-许可:非商业')).toEqual(free)
})

test('what is Chinese is what the table of the collection says', () => {
  const table = JSON.parse(readFileSync(join(root, 'fixtures/collection/table.json'), 'utf8')) as readonly {
    readonly name: string
    readonly lang: readonly string[]
  }[]
  const rows = table.filter(({ lang }) => lang.includes('CN')).map(({ name }) => name)
  expect(rows).toHaveLength(14)
  const all = listed('lang:cn')
  const found = new Set(all.map((one) => one.package.replace('@ift/dataset-', '')))
  // Of xP3, which has many languages there, the Chinese file is a dataset of its own; tables are one package.
  expect(all.filter(({ package: of }) => /-(xp3|tabular)$/.test(of)).map(({ name }) => name)).toEqual([
    'nl2sql',
    'xp3-zh',
  ])
  expect([...found].sort()).toEqual(
    [...rows.map((name) => (name === 'nl2sql' ? 'tabular' : name)), 'xp3'].sort(),
  )
})

test('the table has marks of licences and of evaluation data, and lines no wider than it is', () => {
  const { stdout, stderr, code } = folder.ift(['data', 'list', 'dolly|alpaca|gaokao', '-name:alpaca-gpt4*'])
  expect(code).toBe(0)
  expect(stdout).toMatch(/^ +alpaca +EN MT SI +52\.0k +instructions +NC +CC-BY-NC-4\.0/m)
  expect(stdout).toMatch(/^ +dolly +EN TS HG .* SA +CC-BY-SA-3\.0/m)
  expect(stdout).toMatch(/^ +gaokao +CN MT COL .* EVAL/m)
  for (const line of stdout.split('\n')) expect(line.length).toBeLessThanOrEqual(100)
  expect(stderr).toMatch(/\d of \d+ datasets: dolly\|alpaca\|gaokao -name:alpaca-gpt4\*/)
  expect(stderr).toContain('NC not for commercial use')
})

test('a slip in a selection names what was probably meant', () => {
  const { code, stderr } = folder.ift(['data', 'list', 'lang:chinse'])
  expect(code).toBe(2)
  expect(stderr).toContain('Did you mean chinese?')
  expect(folder.ift(['data', 'list', '-licences:nc']).stderr).toContain('Did you mean licence?')
  // Other verbs take no such word.
  expect(folder.ift(['plugins', '-licence:nc']).code).toBe(2)
  const none = folder.ift(['data', 'list', 'lang:cn', '-lang:cn'])
  expect([none.code, none.stdout]).toEqual([0, ''])
  expect(none.stderr).toContain('0 of')
})
