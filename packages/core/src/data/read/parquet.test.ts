import { readdirSync, readFileSync } from 'node:fs'
import { fileURLToPath } from 'node:url'
import { Worker } from 'node:worker_threads'
import { parquetWriteBuffer } from 'hyparquet-writer'
import { expect, test, vi } from 'vitest'
import { readRecords } from './index.js'
import { mostPieceRows, ParquetFile, pieceBytes } from './parquet-worker.js'
import { problem, put, read, inFolder } from './read.fixture.js'

inFolder()

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

/** The first row group of a file, piece by piece as the thread sends it. */
async function piecesOf(path: string) {
  const file = await ParquetFile.open(path)
  try {
    const footer = await file.footer()
    await file.use(footer)
    const pieces = []
    for await (const piece of file.pieces(0, Number(footer.row_groups[0]!.num_rows))) pieces.push(piece)
    return pieces
  } finally {
    await file.close()
  }
}

test('a large row group comes in small pieces, in order and over the ends of pages', async () => {
  const texts = Array.from({ length: 9000 }, (_, i) => `${i} ${'é'.repeat(i % 700)}`)
  const numbers = texts.map((_, i) => i * 3)
  const data = parquetWriteBuffer({
    rowGroupSize: texts.length,
    pageSize: 1 << 16,
    columnData: [
      { name: 'text', data: texts, type: 'STRING' },
      { name: 'number', data: numbers, type: 'INT32' },
    ],
  })
  const pieces = await piecesOf(await put('pieces.parquet', new Uint8Array(data)))
  expect(pieces.flat()).toEqual(texts.map((text, i) => ({ text, number: numbers[i] })))
  expect(mostPieceRows).toBeLessThanOrEqual(256)
  for (const piece of pieces) {
    expect(piece.length).toBeLessThanOrEqual(mostPieceRows)
    expect(Buffer.byteLength(JSON.stringify(piece))).toBeLessThan(2 * pieceBytes)
  }
})

test('bytes of a row come without the page around them', async () => {
  const bytes = Array.from({ length: 600 }, (_, i) => Uint8Array.of(0xff, i >> 8, i & 255, 0xfe))
  for (const codec of ['SNAPPY', 'UNCOMPRESSED'] as const) {
    const columnData = [{ name: 'bytes', data: bytes, type: 'BYTE_ARRAY' as const }]
    const path = await put('bytes.parquet', new Uint8Array(parquetWriteBuffer({ codec, columnData })))
    const values = (await piecesOf(path)).flat().map((row) => row['bytes'] as Uint8Array)
    expect(values).toEqual(bytes)
    expect(values.every((value) => value.buffer.byteLength === 4)).toBe(true)
  }
})

test('nothing is read ahead of the piece in use', async () => {
  const data = Array.from({ length: 5000 }, (_, i) => `text ${i}`)
  const columnData = [{ name: 'text', data, type: 'STRING' as const }]
  const path = await put(
    'ahead.parquet',
    new Uint8Array(parquetWriteBuffer({ rowGroupSize: data.length, columnData })),
  )
  const post = vi.spyOn(Worker.prototype, 'postMessage')
  const asked = () =>
    post.mock.calls.filter(([message]) => (message as { call?: string }).call === 'more').length
  try {
    let row = 0
    for await (const { record } of readRecords(path)) {
      expect(record).toEqual({ text: data[row++] })
      expect(asked()).toBe(Math.ceil(row / mostPieceRows))
      if (row === 3 * mostPieceRows + 1) break
    }
    expect(asked()).toBe(4)
  } finally {
    post.mockRestore()
  }
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
