import { appendFile, mkdtemp, readFile, rm, truncate, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, expect, test } from 'vitest'
import { cacheKey, ReplyCache } from './cache.js'

let folder: string
let path: string
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'ift-replies-'))
  path = join(folder, 'replies.jsonl')
})
afterEach(() => rm(folder, { recursive: true }))

const reply = (text: string) => ({ date: '2026-11-30T00:00:00.000Z', text, promptTokens: 1, replyTokens: 2 })

test('replies are there when it is opened again', async () => {
  const cache = await ReplyCache.open(path)
  const texts = ['得分:1\n第二行', '', '\u2028"\\', '😀'.repeat(5000)]
  await Promise.all(texts.map((text, i) => cache.add(cacheKey(i), 'm', reply(text))))
  await cache.close()
  const again = await ReplyCache.open(path)
  expect(texts.map((_, i) => again.get(cacheKey(i)))).toEqual(texts.map(reply))
  expect(again.get(cacheKey(9))).toBeUndefined()
  await again.close()
  await expect(again.add(cacheKey(9), 'm', reply(''))).rejects.toMatchObject({ code: 'IFT_FILE_UNWRITABLE' })
})

test('wherever a file was cut, all whole lines are kept and the next is whole', async () => {
  const cache = await ReplyCache.open(path)
  for (let i = 0; i < 3; i++) await cache.add(cacheKey(i), 'm', reply(`第 ${i}`))
  await cache.close()
  const whole = await readFile(path)
  const ends = [...whole].flatMap((byte, i) => (byte === 0x0a ? [i + 1] : []))
  for (const size of [0, 1, ends[0]! - 1, ends[0]!, ends[1]! + 40, whole.length - 1]) {
    await writeFile(path, whole)
    await truncate(path, size)
    const cut = await ReplyCache.open(path)
    // A line without its end may be a part of it: it is kept only where it is not.
    expect(cut.size).toBe(ends.filter((end) => end <= size).length)
    await cut.add(cacheKey('new'), 'm', reply('new'))
    await cut.close()
    const after = await ReplyCache.open(path)
    expect(after.get(cacheKey('new'))).toEqual(reply('new'))
    expect(after.size).toBeGreaterThan(ends.filter((end) => end <= size).length)
    await after.close()
  }
})

test('lines that are none of ours are passed over', async () => {
  const cache = await ReplyCache.open(path)
  await cache.add(cacheKey(1), 'm', reply('kept'))
  await cache.close()
  await appendFile(
    path,
    ['{', '[]', 'null', '', '{"key":"short"}', `{"key":"${'x'.repeat(3 << 20)}"}`, '\u0000'].join('\n') +
      '\n',
  )
  const again = await ReplyCache.open(path)
  expect(again.size).toBe(1)
  expect(again.get(cacheKey(1))).toEqual(reply('kept'))
  await again.close()
})

test('a folder, and a place that cannot be written, are errors that say so', async () => {
  await expect(ReplyCache.open(folder)).rejects.toMatchObject({ code: 'IFT_FILE_UNWRITABLE' })
  await writeFile(path, '')
  await expect(ReplyCache.open(join(path, 'x.jsonl'))).rejects.toMatchObject({ code: 'IFT_FILE_UNWRITABLE' })
})
