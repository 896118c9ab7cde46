import { expect, test } from 'vitest'
import type { IftError } from '@ift/tensor'
import { problem, put, read, inFolder } from './read.fixture.js'
import type { ReadOptions } from './index.js'

inFolder()

const file = async (text: string, options?: ReadOptions, name = 'table.csv') => {
  await put(name, text)
  return read(name, options)
}
const records = async (text: string, options?: ReadOptions, name?: string) =>
  (await file(text, options, name)).map(({ record }) => record)

test.each([
  ['a comma', 'q,a\n1;2,3\n', { q: '1;2', a: '3' }],
  ['a semicolon', 'q;a\n"1;2";3,5\n', { q: '1;2', a: '3,5' }],
  ['a tab', 'q\ta\n1,2\t3\n', { q: '1,2', a: '3' }],
  ['a bar', 'q|a\r\n1,2|3\r\n', { q: '1,2', a: '3' }],
  ['a semicolon, and commas in quotes', '"q, long";a\n1;2\n', { 'q, long': '1', a: '2' }],
  ['a comma, and another sign beside it', 'q,a;b\n1,2\n', { q: '1', 'a;b': '2' }],
  ['one column', 'q\n1\n', { q: '1' }],
])('%s in the header separates', async (_, text, record) => {
  expect(await records(text)).toEqual([record])
})

test('what is said counts, not what is found', async () => {
  expect(await records('q;a\n1;2\n', { delimiter: ',' })).toEqual([{ 'q;a': '1;2' }])
  expect(await records('a:1\n', { delimiter: ':', header: ['q', 'a'] })).toEqual([{ q: 'a', a: '1' }])
})

test('names of csv.header are those of columns, each once', async () => {
  expect(await records('1,2,3\n', { header: ['a ', '', 'c'] })).toEqual([{ a: '1', 'column 2': '2', c: '3' }])
  for (const header of [
    ['a', 'b', 'a'],
    ['a', 'b', ' a'],
    ['', 'b', 'column 1'],
  ]) {
    const error = await problem(file('1,2,3\n', { header }))
    expect(error.code).toBe('IFT_CONFIG_INVALID')
    expect(error.message).toMatch(/table\.csv: csv\.header: columns 1 and 3 are both named "(a|column 1)"/)
  }
})

test('without names the fields have their numbers, and lines may differ in length', async () => {
  expect(await records('a,a\n1\n"2\n3",4,5\n', { header: false })).toEqual([
    { 0: 'a', 1: 'a' },
    { 0: '1' },
    { 0: '2\n3', 1: '4', 2: '5' },
  ])
})

test('quotes behind a backslash, by option', async () => {
  const text = String.raw`q,a
"say \"hi\", then \\ and \n",C:\new
5\" disk,"C:\\"
`
  expect(await records(text, { escape: '\\' })).toEqual([
    { q: String.raw`say "hi", then \ and \n`, a: String.raw`C:\new` },
    { q: String.raw`5\" disk`, a: 'C:\\' },
  ])
})

test('quotes behind a backslash are told where they are not expected', async () => {
  for (const text of ['q,a\n"x",1\n"say \\"hi\\" now",2\n', 'q,a\n"x",1\n"say \\"hi\\", then",2\n']) {
    const error = await problem(file(text))
    expect(error.code).toBe('IFT_DATA_SYNTAX')
    expect(error.message).toContain('table.csv:3: ')
    expect(error.hint).toContain('csv: { escape: "\\\\" }')
    const problems: IftError[] = []
    expect(await records(text, { onProblem: (one) => problems.push(one) })).toEqual([{ q: 'x', a: '1' }])
    expect(problems).toHaveLength(1)
  }
})

test('backslashes of RFC 4180 are characters like others', async () => {
  const values = ['C:\\', 'a\\"b', '"say \\"hi\\""', '\\', '\\\\"', 'x\\,y', '\\\n']
  const text = `q,n\n${values.map((value, i) => `"${value.replaceAll('"', '""')}",${i}\n`).join('')}`
  expect((await records(text)).map(({ q }) => q)).toEqual(values)
})

test('lines that are no rows, and lines of rows', async () => {
  const text = '# made by hand\n\n# twice\nq,a\n1,2\n# a note, with "quotes\n\n"3\n#4",5\n6,7 # no note\n'
  expect(await file(text, { comment: '#' })).toEqual([
    { record: { q: '1', a: '2' }, where: 'table.csv:5' },
    { record: { q: '3\n#4', a: '5' }, where: 'table.csv:8' },
    { record: { q: '6', a: '7 # no note' }, where: 'table.csv:10' },
  ])
  expect(await records('#;x\nq;a\n1;2\n', { comment: '#' })).toEqual([{ q: '1', a: '2' }])
  const error = await problem(file('# made by hand\nq,a\n1,2\n'))
  expect(error.message).toContain('table.csv:2: ')
  expect(error.hint).toContain('csv: { comment: "#" }')
})

test('any table that is written by the rules is read as it was', async () => {
  const pieces = ['a', '"', '\\', ',', ';', '\n', '\r\n', '#', ' ', '漢', '\t', '|']
  let seed = 1
  const random = (n: number) => (seed = (seed * 48271) % 2147483647) % n
  for (const escape of ['"', '\\'] as const) {
    const rows = Array.from({ length: 300 }, () => ({
      q: Array.from({ length: random(8) }, () => pieces[random(pieces.length)]!).join(''),
      a: `x${Array.from({ length: random(4) }, () => pieces[random(pieces.length)]!).join('')}`,
    }))
    const field = (value: string) =>
      `"${escape === '"' ? value.replaceAll('"', '""') : value.replace(/["\\]/g, '\\$&')}"`
    for (const delimiter of [',', ';', '\t']) {
      const text = ['q' + delimiter + 'a', ...rows.map(({ q, a }) => field(q) + delimiter + field(a))].join(
        '\n',
      )
      expect(await records(text, { escape })).toEqual(rows)
    }
  }
})
