import { appendFile, rename, rm, utimes, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { expect, test } from 'vitest'
import { makeZip } from './archive/zip.fixture.js'
import { hashFiles } from '../build.js'
import { FileStamps, readRecords } from './index.js'
import { dir, problem, put, inFolder } from './read.fixture.js'

inFolder()

const rows = (count: number) => `{"n":1,"text":"${'x'.repeat(1000)}"}\n`.repeat(count)

/** Reads, and does something behind the first record. */
async function readWhile(name: string, change: (path: string) => Promise<unknown>) {
  const path = join(dir, name)
  let count = 0
  for await (const _ of readRecords(path)) if (++count === 1) await change(path)
  return count
}

test.each([
  ['is appended to', (path: string) => appendFile(path, '{"n":2}\n')],
  ['is written over', (path: string) => writeFile(path, rows(1000))],
  ['is replaced', async (path: string) => rename(await put('other', rows(3000)), path)],
  ['is removed', (path: string) => rm(path)],
  ['is written to in place', (path: string) => utimes(path, new Date(), new Date(0))],
])('a file that %s while it is read', async (_, change) => {
  await put('rows.jsonl', rows(3000))
  const error = await problem(readWhile('rows.jsonl', change))
  expect(error.code).toBe('IFT_FILE_CHANGED')
  expect(error.message).toContain(join(dir, 'rows.jsonl'))
})

test('an archive that is written over while it is read', async () => {
  await put('rows.zip', makeZip([{ name: 'a.jsonl', data: Buffer.from(rows(3000)) }]))
  const error = await problem(readWhile('rows.zip', (path) => appendFile(path, 'x')))
  expect(error.code).toBe('IFT_FILE_CHANGED')
})

test('times of a file whose size is the same', async () => {
  const path = await put('rows.jsonl', rows(3000))
  await utimes(path, 1e9, 1e9)
  const error = await problem(readWhile('rows.jsonl', () => utimes(path, 1e9, 1e9 + 1.5)))
  expect(error.code).toBe('IFT_FILE_CHANGED')
  expect(error.message).toMatch(/its time was 2001-09-09T01:46:40\.0+Z and is 2001-09-09T01:46:41\.5/)
  expect(error.message).not.toContain('bytes')
  expect(error.hint).toContain('touch')
})

test('a copy with the time of the file, in its place', async () => {
  const path = await put('rows.jsonl', rows(3000))
  await utimes(path, 1e9, 1e9)
  const count = await readWhile('rows.jsonl', async () => {
    const copy = await put('copy.jsonl', rows(3000))
    await utimes(copy, 1e9, 1e9)
    await rename(copy, path)
  })
  expect(count).toBe(3000)
})

test('a file that is the same, and one that nobody reads to its end', async () => {
  await put('rows.jsonl', rows(10))
  expect(await readWhile('rows.jsonl', () => Promise.resolve())).toBe(10)
})

test('a file that is changed between finding and reading', async () => {
  const path = await put('rows.jsonl', rows(10))
  const stamps = await FileStamps.of([path])
  const read = async () => {
    for await (const _ of readRecords(path, { stamps }));
  }
  await read()
  const hash = await hashFiles([path])
  await appendFile(path, '{"n":2}\n')
  expect((await problem(read())).code).toBe('IFT_FILE_CHANGED')
  expect(await hashFiles([path])).not.toBe(hash)
  // It is no part of what names the samples of a run.
  expect(JSON.stringify({ split: 'all', stamps })).toBe('{"split":"all"}')
})
