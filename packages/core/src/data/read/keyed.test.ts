import { expect, test } from 'vitest'
import { mostRecordBytes } from '../../files/bounds.js'
import { problem, put, read, inFolder } from './read.fixture.js'

inFolder()

const example = (n: number) => ({ instruction: `q${n}`, output: `{"a]": "${n}"}` })
const file = async (text: string) => {
  await put('keyed.json', text)
  return read('keyed.json')
}

test.each([undefined, 2])('records by their ids, indented by %s', async (indent) => {
  const text = JSON.stringify(
    { a1: example(1), 'b"{': { id: 7, ...example(2) }, c: example(3) },
    null,
    indent,
  )
  const rows = await file(text)
  expect(rows.map(({ record }) => record)).toEqual([
    { id: 'a1', ...example(1) },
    { id: 7, ...example(2) },
    { id: 'c', ...example(3) },
  ])
  const line = (key: string) => text.slice(0, text.indexOf(`"${key}":`)).split('\n').length
  expect(rows[2]!.where).toBe(`keyed.json:${line('c')}`)
})

test('one record by its id', async () => {
  expect((await file(JSON.stringify({ a1: example(1) })))[0]!.record).toEqual({ id: 'a1', ...example(1) })
})

test.each([
  ['a record with an object in it', { meta: example(1), ...example(2) }],
  [
    'a record of objects',
    { chosen: { role: 'user', content: 'a' }, rejected: { role: 'user', content: 'b' } },
  ],
  ['a conversation', { messages: [{ role: 'user', content: 'a' }] }],
  ['a value that is no object', { a1: example(1), version: 3 }],
])('%s is one record', async (_, record) => {
  expect(await file(JSON.stringify(record))).toEqual([{ record, where: 'keyed.json:1' }])
})

test('an object that holds its records in a list, beside facts', async () => {
  const rows = await file(JSON.stringify({ info: { by: 'x' }, data: [example(1), example(2)] }))
  expect(rows.map(({ record }) => record)).toEqual([example(1), example(2)])
})

test.each([
  ['{"a": {"instruction":"q","output":"a"},\n"b": 3}', 'one record'],
  [
    '{"a": {"instruction":"q","output":"a"}, "b": {"instruction":"q","output":"a"},\n"c": 3}',
    /:2: expected a record .* found a number/,
  ],
  [
    '{"a": {"instruction":"q","output":"a"}, "b": {"instruction":"q","output":"a"},\n"c": {"x"',
    /:2: the file ends inside a record/,
  ],
  [
    '{"a": {"instruction":"q","output":"a"}, "b": {"instruction":"q","output":"a"}\n',
    /:2: the file ends before the object does/,
  ],
  [
    '{"a": {"instruction":"q","output":"a"}, "b": {"instruction":"q","output":"a"}\n}\n]',
    /:3: text after the end of the object/,
  ],
  ['{"a": {"instruction":"q","output":"a"}, "b": {"instruction":"q","output":nul}}', /:1: not valid JSON/],
])('%s', async (text, message) => {
  if (typeof message === 'string') expect(await file(text)).toHaveLength(1)
  else expect((await problem(file(text))).message).toMatch(message)
})

test('a file larger than a record may be', async () => {
  const long = { instruction: 'q', output: 'x'.repeat(1 << 20) }
  const count = (mostRecordBytes >> 20) + 4
  const members = Array.from({ length: count }, (_, i) => `"k${i}":${JSON.stringify(long)}`)
  const rows = await file(`{${members.join(',')}}`)
  expect(rows).toHaveLength(count)
  expect(rows.at(-1)!.record['id']).toBe(`k${count - 1}`)
})
