import { writeFileSync } from 'node:fs'
import { gzipSync } from 'node:zlib'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { caseFolder, type CaseFolder } from './ift.fixture.js'

// A megabyte of gzip holds a gigabyte, and a record is read whole: it has a largest size.

let folder: CaseFolder
beforeAll(() => {
  folder = caseFolder('rel-40')
})
afterAll(() => {
  folder.remove()
})

const MiB = 1 << 20

/** Writes `head`, and behind it `count` times a MiB of `piece`, compressed: members of a file one after the other (RFC 1952, 2.2). */
function gzip(name: string, head: string, piece: string, count: number): void {
  const part = gzipSync(Buffer.alloc(MiB, piece))
  const parts = Array.from({ length: count }, () => part)
  writeFileSync(folder.path(name), Buffer.concat([gzipSync(head), ...parts]))
}

/** A zstd frame (RFC 8878) whose blocks repeat one byte, 128 KiB each: 4 bytes of the file a block. */
function zstd(name: string, byte: number, blocks: number, window = 0x58, blockBytes = 128 << 10): void {
  const header = Buffer.from([0x28, 0xb5, 0x2f, 0xfd, 0x00, window])
  const block = Buffer.alloc(4)
  block.writeUIntLE((blockBytes << 3) | 2, 0, 3)
  block[3] = byte
  const all = Buffer.alloc(4 * blocks, block)
  all[all.length - 4]! |= 1
  writeFileSync(folder.path(name), Buffer.concat([header, all]))
}

const stats = (name: string, ...more: string[]) =>
  folder.ift(['data', 'stats', name, ...more], {
    timeout: 30_000,
    env: { NODE_OPTIONS: '--max-old-space-size=1500' },
  })

test.each([
  ['zeros.jsonl.gz', '', '\0', 260],
  ['blanks.jsonl.gz', '{"instruction": "a", "output": "b"}', '\n', 260],
  ['string.jsonl.gz', '{"instruction": "', 'a', 260],
  ['blanks.json.gz', '', ' ', 260],
  ['string.json.gz', '[{"instruction": "', 'a', 260],
  ['quoted.csv.gz', 'instruction,output\n"', 'a\n', 260],
  ['line.csv.gz', 'instruction,output\n', 'a', 260],
])('%s', (name, head, piece, count) => {
  gzip(name, head, piece, count)
  const { code, stderr } = stats(name)
  expect(code, stderr.slice(0, 1000)).toBe(1)
  expect(stderr).toMatch(/IFT_DATA_(RECORD|SYNTAX)/)
  expect(stderr).toMatch(/\.gz:\d+/)
  expect(stderr).toMatch(/256 MiB|268435456/)
})

test('zstd: a piece of the file makes thousands of times its size', () => {
  zstd('zeros.jsonl.zst', 0, 250_000)
  const { code, stderr } = stats('zeros.jsonl.zst')
  expect(code, stderr.slice(0, 1000)).toBe(1)
  expect(stderr).toContain('IFT_DATA_RECORD')
})

test('zstd: a window of a gigabyte, and blocks of one byte', () => {
  zstd('window.jsonl.zst', 0, 4, 0xa0)
  expect(stats('window.jsonl.zst').stderr).toContain('IFT_FILE_UNSUPPORTED')
  zstd('bytes.jsonl.zst', 0x20, 1_000_000, 0x88, 1)
  const { code, stderr } = stats('bytes.jsonl.zst')
  expect(code, stderr.slice(0, 1000)).toBe(1)
  expect(stderr).toContain('IFT_FILE_UNSUPPORTED')
})

test.each([
  ['deep.jsonl', `{"instruction": ${'['.repeat(200_000)}${']'.repeat(200_000)}}\n`, 'levels deep'],
  ['many.json', `[{"instruction": [${'[],'.repeat(9_000_000)}[]]}]`, 'values'],
])('%s', (name, content, words) => {
  writeFileSync(folder.path(name), content)
  const { code, stderr } = stats(name)
  expect(code, stderr.slice(0, 1000)).toBe(1)
  expect(stderr).toContain('IFT_DATA_RECORD')
  expect(stderr).toContain(words)
})

test('100 MB of blanks in front of a record take no time that grows with their square', () => {
  writeFileSync(folder.path('led.json'), `${' '.repeat(100 * MiB)}{"instruction": "a", "output": "b"}`)
  const { code, stderr } = stats('led.json')
  expect(code, stderr).toBe(0)
})
