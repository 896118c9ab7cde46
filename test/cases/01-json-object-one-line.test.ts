import { writeFileSync } from 'node:fs'
import { afterAll, expect, test } from 'vitest'
import { caseFolder } from './ift.fixture.js'

const folder = caseFolder('01-json-object-one-line')
afterAll(() => {
  folder.remove()
})

const validated = (file: string): unknown =>
  JSON.parse(folder.ift(['data', 'validate', file, '--json']).stdout)

// White space around a JSON value means nothing (RFC 8259, section 2).
test.each(['without-line-end.json', 'with-line-end.json'])('%s holds two examples', (file) => {
  expect(JSON.parse(folder.output('data', 'validate', file, '--json'))).toMatchObject({ examples: 2 })
})

const record = (n: number) => ({ instruction: `Say ${n}`, input: '', output: String(n) })
const list = JSON.stringify([record(1), record(2)])
const object = `{"version":1,"data":${list}}`

test.each([
  ['a line end of Windows', `${object}\r\n`],
  ['blanks and blank lines around', `\n \t${object}  \n\n \n`],
  ['a byte order mark', `\uFEFF${object}\n`],
  ['the list on one line', `${list}\n`],
  ['a byte order mark before the list', `\uFEFF${list}\r\n`],
  ['two records in a line', `${JSON.stringify(record(1))} ${JSON.stringify(record(2))}\n`],
  ['a record a line', `${JSON.stringify(record(1))}\n\n${JSON.stringify(record(2))}\n`],
])('%s: two examples', (_, text) => {
  writeFileSync(folder.path('sibling.json'), text)
  expect(validated('sibling.json')).toMatchObject({ examples: 2, errors: 0 })
})

test('one record on one line that has a list of objects itself is that record', () => {
  writeFileSync(folder.path('one.json'), `${JSON.stringify({ ...record(1), sources: [{ url: 'a' }] })}\n`)
  expect(validated('one.json')).toMatchObject({ examples: 1, errors: 0 })
})
