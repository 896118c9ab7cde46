import { readdirSync, readFileSync } from 'node:fs'
import { fileURLToPath } from 'node:url'
import { parquetWriteBuffer } from 'hyparquet-writer'
import { expect, test } from 'vitest'
import { readRecords } from './index.js'
import { problem, put, read } from './read.fixture.js'

const folder = fileURLToPath(new URL('../../../../../fixtures/parquet/', import.meta.url))
const rows = readFileSync(`${folder}rows.jsonl`, 'utf8')
  .trim()
  .split('\n')
  .map((line) => JSON.parse(line) as unknown)

const names = readdirSync(folder).filter((name) => name.endsWith('.parquet'))

test('what other writers make is there', () => {
  expect(names).toHaveLength(7)
})

test.each(names)('%s holds what pyarrow finds in it', async (name) => {
  const found = []
  for await (const { record } of readRecords(folder + name)) found.push(record)
  // As JSON: a double that Parquet holds has no digits of its own.
  expect(JSON.parse(JSON.stringify(found))).toEqual(rows)
})

test('rows that are large are few at a time', async () => {
  const long = Array.from({ length: 40 }, (_, i) => String(i).repeat(1 << 18))
  const data = parquetWriteBuffer({ columnData: [{ name: 'text', data: long, type: 'STRING' }] })
  await put('long.parquet', new Uint8Array(data))
  expect((await read('long.parquet')).map(({ record }) => record['text'])).toEqual(long)
})

test('cut and changed files end with the file', async () => {
  const bytes = readFileSync(`${folder}snappy.parquet`)
  for (const at of [4, bytes.length - 40]) {
    const broken = Buffer.from(bytes)
    broken.fill(0xff, at, at + 24)
    await put('broken.parquet', broken)
    const error = await problem(read('broken.parquet'))
    expect(error.code).toBe('IFT_FILE_CORRUPT')
    expect(error.message).toContain('broken.parquet: broken Parquet file: ')
  }
  await put('cut.parquet', bytes.subarray(0, 20_000))
  expect((await problem(read('cut.parquet'))).code).toBe('IFT_FILE_CORRUPT')
})

test('reading ends early', async () => {
  for await (const { record } of readRecords(`${folder}zstd-v2.parquet`)) {
    expect(record).toEqual(rows[0])
    break
  }
})
