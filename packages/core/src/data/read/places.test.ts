import { mkdir, symlink } from 'node:fs/promises'
import { join } from 'node:path'
import { beforeAll, expect, test } from 'vitest'
import { makeZip } from './archive/zip.fixture.js'
import { dataFiles, diskFiles } from './index.js'
import { dir, problem, put, read, inFolder } from './read.fixture.js'

inFolder()

const row = (n: number) => `{"n":${n}}\n`
const numbers = async (name: string) => (await read(name)).map(({ record }) => Number(record['n']))

beforeAll(async () => {
  await put('shards/part-01.jsonl', row(1))
  await put('shards/part-02.jsonl', row(2))
  await put('shards/part-02.txt', 'no data')
  await put('shards/deep/train-1.json', '[{"n":3}]')
  await put('shards/deep/test-1.json', '[{"n":4}]')
  await put('packed/b.zip', makeZip([{ name: 'x.jsonl', data: Buffer.from(row(5)) }]))
  await put('packed/a.zip', makeZip([{ name: 'x.jsonl', data: Buffer.from(row(6)) }]))
  await put('mixed/a.jsonl', row(7))
  await put('mixed/b.zip', makeZip([{ name: 'x.jsonl', data: Buffer.from(row(7)) }]))
})

test.each([
  ['shards/*.jsonl', [1, 2]],
  ['shards/part-{02..07}.jsonl', [2]],
  ['shards/**/*', [4, 3, 1, 2]],
  ['sh*/**/train-*.json', [3]],
  ['packed/*.zip', [6, 5]],
  ['packed/*.zip!/x.jsonl', [6, 5]],
  ['packed', [6, 5]],
  ['mixed', [7]],
])('%s', async (pattern, found) => {
  expect(await numbers(pattern)).toEqual(found)
})

test('held-out files of a pattern are left out, unless it names nothing else', async () => {
  const inside = async (pattern: string, split: 'training' | 'validation') =>
    (await dataFiles(join(dir, pattern), split)).map((name) => name.slice(dir.length + 1))
  expect(await inside('shards/deep/*.json', 'training')).toEqual(['shards/deep/train-1.json'])
  expect(await inside('shards/deep/*.json', 'validation')).toEqual(['shards/deep/test-1.json'])
  expect(await inside('shards/deep/test-*', 'training')).toEqual(['shards/deep/test-1.json'])
})

test('a pattern that finds nothing names what is there', async () => {
  const error = await problem(read('shards/prat-*.jsonl'))
  expect(error.code).toBe('IFT_SOURCE_NOT_FOUND')
  expect(error.message).toBe(
    `${dir}/shards/prat-*.jsonl: no file matches the pattern; in ${dir}/shards there are part-01.jsonl, part-02.jsonl.`,
  )
  expect((await problem(read('nowhere/*.jsonl'))).message).toContain(`in ${dir} there are mixed/a.jsonl, `)
  expect((await problem(read('packed/*.tar!/x.jsonl'))).message).toContain('no archive matches the pattern')
  expect((await problem(read('shards/part-1.jsonl'))).message).toContain(
    'there are part-01.jsonl, part-02.jsonl',
  )
})

test('a pattern that means files of no known kind', async () => {
  const error = await problem(read('shards/*.txt'))
  expect(error.code).toBe('IFT_DATA_CONTAINER')
  expect(error.message).toContain('shards/part-02.txt')
})

test('a file that is there is no pattern, and links are files', async () => {
  await put('a[1].jsonl', row(8))
  await put('[ab]/c.jsonl', row(9))
  expect(await numbers('a[1].jsonl')).toEqual([8])
  expect(await numbers('[ab]/*.jsonl')).toEqual([9])
  await mkdir(join(dir, 'links'))
  await symlink('../shards/part-01.jsonl', join(dir, 'links/one.jsonl'))
  expect(await numbers('links')).toEqual([1])
  expect(await numbers('links/*.jsonl')).toEqual([1])
  expect(await diskFiles(join(dir, 'packed'))).toEqual([join(dir, 'packed/a.zip'), join(dir, 'packed/b.zip')])
})
