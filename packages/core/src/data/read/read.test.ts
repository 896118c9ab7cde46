import { mkdtemp, mkdir, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { gzipSync } from 'node:zlib'
import { parquetWriteFile } from 'hyparquet-writer'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import type { IftError } from '@ift/tensor'
import { shared, sharedMissing } from '../../testing/shared.fixture.js'
import { readRecords, type ReadOptions } from './index.js'

let dir: string
beforeAll(async () => {
  dir = await mkdtemp(join(tmpdir(), 'ift-read-'))
})
afterAll(() => rm(dir, { recursive: true, force: true }))

async function read(path: string, options?: ReadOptions) {
  const rows = []
  for await (const row of readRecords(path, options)) rows.push(row)
  return rows
}
async function file(name: string, content: string | Uint8Array, options?: ReadOptions) {
  const path = join(dir, name)
  await writeFile(path, content)
  const rows = await read(path, options)
  return rows.map(({ record, where }) => ({ record, where: where.slice(dir.length + 1) }))
}
const problem = async (work: Promise<unknown>): Promise<IftError> => {
  try {
    await work
  } catch (error) {
    return error as IftError
  }
  throw new Error('no error')
}

describe('JSONL', () => {
  test('counts lines over CRLF, blank lines and a byte order mark', async () => {
    expect(await file('a.jsonl', '\uFEFF{"a":1}\r\n\r\n  \n{"a":"é\\n"}')).toEqual([
      { record: { a: 1 }, where: 'a.jsonl:1' },
      { record: { a: 'é\n' }, where: 'a.jsonl:4' },
    ])
  })
  test('a broken line names file, line and text, or is reported and skipped', async () => {
    const text = '{"a":1}\n{"a":2\n{"a":3}\n[1]\n'
    const error = await problem(file('b.jsonl', text))
    expect(error.code).toBe('IFT_DATA_SYNTAX')
    expect(error.message).toContain('b.jsonl:2: not valid JSON')
    expect(error.message).toContain('{"a":2')
    const problems: IftError[] = []
    expect(
      (await file('b.jsonl', text, { onProblem: (p) => problems.push(p) })).map(({ record }) => record),
    ).toEqual([{ a: 1 }, { a: 3 }])
    expect(problems.map(({ code }) => code)).toEqual(['IFT_DATA_SYNTAX', 'IFT_DATA_RECORD'])
    expect(problems[1]!.message).toContain('b.jsonl:4: expected a record (a JSON object), found an array')
  })
  test('lines longer than a read', async () => {
    const long = 'x'.repeat(3 << 20)
    const rows = await file('c.jsonl', `{"a":"${long}"}\n{"a":"y"}\n`)
    expect(rows.map(({ record }) => (record['a'] as string).length)).toEqual([long.length, 1])
    expect(rows[1]!.where).toBe('c.jsonl:2')
  })
  test('an empty file has no records', async () => {
    expect(await file('d.jsonl', '')).toEqual([])
    expect(await file('d.json', ' \n')).toEqual([])
  })
})

describe('JSON', () => {
  test('array with nested brackets, strings with brackets and escapes', async () => {
    const rows = [{ a: '[{"\\]' }, { b: { c: [1, [2]] } }, { d: '"' }]
    const text = JSON.stringify(rows, null, 2)
    const found = await file('a.json', text)
    expect(found.map(({ record }) => record)).toEqual(rows)
    for (const { record, where } of found) {
      const line = Number(where.split(':')[1])
      expect(text.split('\n')[line - 1]).toBe('  {')
      expect(text.split('\n')[line]).toContain(Object.keys(record)[0])
    }
  })
  test('JSONL under the name .json, pretty-printed values in a row, one object that holds the records', async () => {
    expect((await file('l.json', '{"a":1}\n{"a":2}\n')).map(({ where }) => where)).toEqual([
      'l.json:1',
      'l.json:2',
    ])
    expect((await file('r.json', '{\n"a":1}\n{\n"a":2}')).map(({ where }) => where)).toEqual([
      'r.json:1',
      'r.json:3',
    ])
    expect(await file('o.json', '{"n":"x",\n"example":[{"q":1},{"q":2}]}')).toEqual([
      { record: { q: 1 }, where: 'o.json#1' },
      { record: { q: 2 }, where: 'o.json#2' },
    ])
    expect((await file('m.json', '{"messages":[{"role":"user"}]}'))[0]!.record).toHaveProperty('messages')
  })
  test.each([
    ['[{"a":1}, {"a":', /:1: the file ends inside a record/],
    ['[{"a":1}\n', /the file ends before the array does/],
    ['[{"a":1}] x', /text after the end/],
    ['[{"a":1},,{"a":2}]', /a comma where a record was expected/],
    ['[{"a":1} {"a":2}]', /expected a comma/],
    ['[{"a":1},\n{"a":nul}]', /:2: not valid JSON/],
    ['[{"a":1},\n3]', /:2: expected a record \(a JSON object\), found a number/],
    ['hello', /not valid JSON/],
  ])('%s is refused', async (text, message) => {
    const error = await problem(file('bad.json', text))
    expect(error.code).toMatch(/IFT_DATA_(SYNTAX|RECORD)/)
    expect(error.message).toMatch(message)
  })
  test('any chunking of the bytes gives the same records', async () => {
    const rows = Array.from({ length: 5000 }, (_, i) => ({ i, text: '漢字"\\'.repeat(i % 200) }))
    expect((await file('chunks.json', JSON.stringify(rows))).map(({ record }) => record)).toEqual(rows)
  })
})

describe('CSV and TSV', () => {
  test('quotes, line breaks inside fields, quotes in the middle of a field', async () => {
    expect(await file('a.csv', '\uFEFFq,a\n"x, ""y""\nz",1\n5" disk,2\n')).toEqual([
      { record: { q: 'x, "y"\nz', a: '1' }, where: 'a.csv:2' },
      { record: { q: '5" disk', a: '2' }, where: 'a.csv:4' },
    ])
  })
  test('a file without header', async () => {
    expect((await file('a.tsv', 'x\ty\n', { header: ['q', 'a'] }))[0]!.record).toEqual({ q: 'x', a: 'y' })
  })
  test('quotes that are characters like others', async () => {
    const [row] = await file('q.tsv', '"a" b\t"\n', { header: ['q', 'a'], quotes: false })
    expect(row!.record).toEqual({ q: '"a" b', a: '"' })
  })
  test('two columns of one name, and columns without one', async () => {
    const error = await problem(file('n.csv', 'q, a,q\n1,2,3\n'))
    expect(error.code).toBe('IFT_DATA_SYNTAX')
    expect(error.message).toContain('n.csv:1: columns 1 and 3 are both named "q"')
    expect((await file('e.csv', ',a,\n1,2,3\n'))[0]!.record).toEqual({
      'column 1': '1',
      a: '2',
      'column 3': '3',
    })
  })
  test('a row with too few columns', async () => {
    const error = await problem(file('b.csv', 'a,b\n1,2\n3\n'))
    expect(error.code).toBe('IFT_DATA_SYNTAX')
    expect(error.message).toContain('b.csv:3')
    const problems: IftError[] = []
    expect(await file('b.csv', 'a,b\n1,2\n3\n4,5\n', { onProblem: (p) => problems.push(p) })).toHaveLength(2)
    expect(problems).toHaveLength(1)
  })
})

describe('compression and encodings', () => {
  test('gzip, and a gzip that was cut off', async () => {
    const bytes = gzipSync(`{"a":1}\n${'{"a":2}\n'.repeat(9000)}`)
    expect(await file('a.jsonl.gz', bytes)).toHaveLength(9001)
    const error = await problem(file('b.jsonl.gz', bytes.subarray(0, bytes.length - 20)))
    expect(error.code).toBe('IFT_FILE_CORRUPT')
    expect((await problem(file('c.jsonl.gz', 'plain text'))).code).toBe('IFT_FILE_CORRUPT')
  })
  test('zstd, and a zstd that was cut off', async () => {
    // `zstd -19` of two lines
    const bytes = Buffer.from('KLUv/QRogQAAeyJhIjoxfQp7ImEiOjJ9Cu7trPI=', 'base64')
    expect((await file('a.jsonl.zst', bytes)).map(({ record }) => record)).toEqual([{ a: 1 }, { a: 2 }])
    expect((await problem(file('b.jsonl.zst', bytes.subarray(0, 12)))).code).toBe('IFT_FILE_CORRUPT')
  })
  test('GBK is read when it is named, and named when it is found', async () => {
    const gbk = Buffer.from([0x7b, 0x22, 0x61, 0x22, 0x3a, 0x22, 0xc4, 0xe3, 0xba, 0xc3, 0x22, 0x7d]) // {"a":"你好"}
    expect((await file('g.jsonl', gbk, { encoding: 'gbk' }))[0]!.record).toEqual({ a: '你好' })
    const error = await problem(file('h.jsonl', gbk))
    expect(error.code).toBe('IFT_DATA_ENCODING')
    expect(error.message).toContain('h.jsonl:1')
    expect(error.hint).toContain('encoding: gb18030')
    expect((await problem(file('i.jsonl', gbk, { encoding: 'klingon' }))).message).toContain('klingon')
  })
  test('UTF-16 with a byte order mark', async () => {
    expect((await file('u.jsonl', Buffer.from('\uFEFF{"a":"你"}\n', 'utf16le')))[0]!.record).toEqual({
      a: '你',
    })
  })
  test.skipIf(sharedMissing('samples/chinese-medical'))('Chinese-medical is GBK', async () => {
    const path = shared('samples/chinese-medical/sample_im_5000-6000.gbk.csv')
    const rows = await read(path, { encoding: 'gb18030' })
    expect(rows).toHaveLength(30)
    expect(rows[0]!.record).toHaveProperty('department')
    expect((await problem(read(path))).code).toBe('IFT_DATA_ENCODING')
  })
})

describe('folders and names', () => {
  test('every data file below a folder, in order', async () => {
    await mkdir(join(dir, 'many/sub'), { recursive: true })
    await writeFile(join(dir, 'many/b.jsonl'), '{"n":2}')
    await writeFile(join(dir, 'many/a.json'), '[{"n":1}]')
    await writeFile(join(dir, 'many/readme.md'), 'no data')
    await writeFile(join(dir, 'many/sub/c.csv'), 'n\n3\n')
    expect((await read(join(dir, 'many'))).map(({ record }) => Number(record['n']))).toEqual([1, 2, 3])
  })
  test('what is not there, what is not known', async () => {
    expect((await problem(read(join(dir, 'none.json')))).code).toBe('IFT_SOURCE_NOT_FOUND')
    expect((await problem(file('x.docx', 'x'))).code).toBe('IFT_DATA_CONTAINER')
    await mkdir(join(dir, 'empty'))
    expect((await problem(read(join(dir, 'empty')))).message).toContain('no data file')
  })
  test('Parquet, over row groups, with lists and 64-bit numbers', async () => {
    const path = join(dir, 'a.parquet')
    const rows = Array.from({ length: 25 }, (_, i) => ({ q: `漢${i}`, n: i, ids: [i, i + 1] }))
    parquetWriteFile({
      filename: path,
      rowGroupSize: 10,
      columnData: [
        { name: 'q', data: rows.map(({ q }) => q), type: 'STRING' },
        { name: 'n', data: rows.map(({ n }) => BigInt(n)), type: 'INT64' },
        { name: 'ids', data: rows.map(({ ids }) => ids), type: 'JSON' },
      ],
    })
    const found = await read(path)
    expect(found.map(({ record }) => record)).toEqual(rows)
    expect(found[11]!.where).toBe(`${path}#12`)
  })
  test('Parquet: null is a field that is not there, and a value in lists and maps', async () => {
    const path = fileURLToPath(
      new URL('../../../../../fixtures/cases/12-parquet-null-arguments/nulls.parquet', import.meta.url),
    )
    expect((await read(path)).map(({ record }) => record)).toEqual([
      { struct: null, list: [null, 'x'], structs: [{ a: 1 }, null], map: { k: null, l: 2 }, nothing: null },
      { struct: { b: 1 }, list: null, structs: null, map: null, nothing: null },
      { struct: { a: {} }, list: [], structs: [], map: {}, nothing: null },
    ])
  })
  test('a file that is no Parquet', async () => {
    expect((await problem(file('p.parquet', 'PAR1 not really'))).code).toBe('IFT_FILE_CORRUPT')
  })
})
