import { createHash } from 'node:crypto'
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, describe, expect, test } from 'vitest'
import { DataRandom } from '../random.js'
import { LineIndex, readLines } from './index.js'

const dir = mkdtempSync(join(tmpdir(), 'ift-lines-'))
afterAll(() => {
  rmSync(dir, { recursive: true, force: true })
})

/** An index of a file that came in pieces of so many bytes. */
function indexOf(path: string, piece: number): LineIndex {
  const index = new LineIndex(path)
  const bytes = readFileSync(path)
  for (let at = 0; at < bytes.length; at += piece) index.add(bytes.subarray(at, at + piece))
  index.end()
  return index
}

const random = new DataRandom('lines', 1)
const files: Readonly<Record<string, string>> = {
  empty: '',
  blank: ' \n\t\r\n\n  ',
  one: '{"a":1}',
  'with a byte order mark': '\ufeff{"a":1}\n{"b":2}\n',
  many: Array.from({ length: 700 }, (_, i) =>
    random.below(5) === 0
      ? '\n'.repeat(random.below(4)) + ' \t\r'
      : `{"row":${i},"ä":"${'x'.repeat(random.below(90))}"}\r`,
  ).join('\n'),
  long: Array.from({ length: 40 }, (_, i) => `${i}${'y'.repeat(i % 7 === 3 ? 700_000 : 10)}`).join('\n\n'),
}

describe.each(Object.keys(files))('%s', (name) => {
  test.each([1, 3, 1000, 1 << 20])(
    'rows of pieces of %i bytes are the lines that reading gives',
    async (piece) => {
      if (piece < 1000 && name === 'long') return
      const path = join(dir, createHash('sha256').update(name).digest('hex'))
      writeFileSync(path, files[name]!)
      const expected: [string, number][] = []
      for await (const { bytes, line } of readLines(path))
        expected.push([Buffer.from(bytes).toString(), line])
      const index = indexOf(path, piece)
      expect(index.rows).toBe(expected.length)
      const of = async (rows: readonly number[]) =>
        (await index.read(rows)).map(({ bytes, line }) => [Buffer.from(bytes).toString(), line])
      expect(await of([...expected.keys()])).toEqual(expected)
      for (let i = 0; i < 20; i++) {
        const rows: number[] = [...expected.keys()].filter(() => random.below(9) === 0)
        expect(await of(rows)).toEqual(rows.map((row): unknown => expected[row]))
      }
      index.close()
    },
  )
})

test('what is no text of UTF-8 is told by its beginning', () => {
  const isUtf8 = (bytes: Uint8Array) => {
    const index = new LineIndex('x')
    index.add(bytes)
    return index.isUtf8
  }
  expect(isUtf8(Buffer.from('{"a":"b"}', 'utf16le'))).toBe(false)
  expect(isUtf8(Buffer.from('\ufeff{}', 'utf16le'))).toBe(false)
  expect(isUtf8(Buffer.from('\ufeff{}'))).toBe(true)
  for (const [name, options, fits] of [
    ['a.jsonl', {}, true],
    ['a.ndjson', { encoding: 'UTF-8' }, true],
    ['a.jsonl.gz', {}, false],
    ['a.json', {}, false],
    ['a.zip!/a.jsonl', {}, false],
    ['a.jsonl', { encoding: 'gb18030' }, false],
    ['a.jsonl', { tolerant: true }, false],
  ] as const)
    expect([name, LineIndex.isFor(name, options)]).toEqual([name, fits])
})
