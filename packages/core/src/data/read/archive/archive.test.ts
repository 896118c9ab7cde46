import { execFileSync } from 'node:child_process'
import { readdir } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { gzipSync } from 'node:zlib'
import { parquetWriteBuffer } from 'hyparquet-writer'
import { packTar, type TarHeader } from 'modern-tar'
import { describe, expect, test, vi } from 'vitest'
import { hashFiles } from '../../build.js'
import { dataFiles, diskFiles } from '../index.js'
import { dir, problem, put, read, inFolder } from '../read.fixture.js'
import { makeZip } from './zip.fixture.js'

inFolder()

const lines = (...values: number[]) => Buffer.from(values.map((n) => `{"n":${n}}\n`).join(''))
const numbers = async (name: string) => (await read(name)).map(({ record }) => Number(record['n']))
const tar = async (entries: readonly { name: string; data: Uint8Array; type?: TarHeader['type'] }[]) =>
  Buffer.from(
    await packTar(
      entries.map(({ name, data, type = 'file' }) => ({
        header: {
          name,
          size: type === 'file' ? data.length : 0,
          type,
          ...(type === 'symlink' ? { linkname: 'x' } : {}),
        },
        data,
      })),
    ),
  )

const content = [
  { name: 'readme.md', data: Buffer.from('# no data') },
  { name: 'part/b.jsonl', data: lines(1, 2) },
  { name: 'part/a.json', data: Buffer.from('[{"n":3}]') },
  { name: 'part/c.jsonl.gz', data: gzipSync(lines(4)) },
  { name: '__MACOSX/part/._b.jsonl', data: Buffer.from([0, 5, 0x16, 7]) },
  { name: 'test/d.csv', data: Buffer.from('n\n5\n') },
]

describe.each([
  ['rows.zip', () => Promise.resolve(makeZip(content))],
  ['rows.tar', () => tar(content)],
  ['rows.tar.gz', async () => gzipSync(await tar(content))],
  ['rows.tgz', async () => gzipSync(await tar(content.map((one) => ({ ...one, name: `./${one.name}` }))))],
])('%s', (name, make) => {
  test('its entries are files of a folder, in its order', async () => {
    await put(name, await make())
    expect(await numbers(name)).toEqual([1, 2, 3, 4, 5])
    expect((await read(name)).map(({ where }) => where)).toEqual([
      `${name}!/part/b.jsonl:1`,
      `${name}!/part/b.jsonl:2`,
      `${name}!/part/a.json:1`,
      `${name}!/part/c.jsonl.gz:1`,
      `${name}!/test/d.csv:2`,
    ])
  })
  test('an entry, a folder in it, a pattern', async () => {
    expect(await numbers(`${name}!/part/a.json`)).toEqual([3])
    expect(await numbers(`${name}!/part`)).toEqual([1, 2, 3, 4])
    expect(await numbers(`${name}!/part/`)).toEqual([1, 2, 3, 4])
    expect(await numbers(`${name}!/part/*.jsonl`)).toEqual([1, 2])
    expect(await numbers(`${name}!/**/[ad].*`)).toEqual([3, 5])
    const error = await problem(read(`${name}!/part/x.json`))
    expect(error.code).toBe('IFT_SOURCE_NOT_FOUND')
    expect(error.message).toContain(`${name}!/part/x.json: `)
    expect(error.message).toContain('there are part/a.json, ')
  })
  test('its entries have splits, a hash of their own, and one file on disk', async () => {
    const place = `${dir}/${name}`
    expect(await dataFiles(place, 'validation')).toEqual([`${place}!/test/d.csv`])
    expect(await dataFiles(place, 'training')).toHaveLength(3)
    expect(await dataFiles(`${place}!/test/*`, 'training')).toEqual([`${place}!/test/d.csv`])
    expect(await diskFiles(place)).toEqual([place])
    const hashes = await Promise.all(
      [place, `${place}!/part`, `${place}!/part/a.json`].map(async (one) => hashFiles(await dataFiles(one))),
    )
    expect(new Set(hashes).size).toBe(3)
  })
  test('cut off', async () => {
    const bytes = await make()
    for (const share of [0.3, 0.6, 0.9]) {
      await put(`cut-${name}`, bytes.subarray(0, Math.floor(share * bytes.length)))
      const error = await problem(read(`cut-${name}`))
      expect(error.code).toBe('IFT_FILE_CORRUPT')
      expect(error.message).toContain(`cut-${name}`)
    }
  })
})

describe.each([
  ['zip', (entries: { name: string; data: Buffer }[]) => Promise.resolve(makeZip(entries))],
  ['tar', tar],
])('two entries of one name in a %s', (kind, make) => {
  test.each(['a/b.jsonl', './a/b.jsonl', 'a//b.jsonl', 'a/./b.jsonl'])('%s', async (name) => {
    const entries = ['a/b.jsonl', 'a/c.jsonl', name].map((one, i) => ({ name: one, data: lines(i) }))
    await put(`twice.${kind}`, await make(entries))
    const error = await problem(read(`twice.${kind}`))
    expect(error.code).toBe('IFT_FILE_CORRUPT')
    expect(error.message).toContain('two entries are named "a/b.jsonl"')
  })
  test('folders are no files', async () => {
    const folder = { name: 'a/', data: Buffer.alloc(0), type: 'directory' as const }
    await put(`folders.${kind}`, await make([folder, folder, { name: 'a/b.jsonl', data: lines(1) }]))
    expect(await numbers(`folders.${kind}`)).toEqual([1])
  })
})

describe('zip', () => {
  test.each([
    ['encrypted', { isEncrypted: true }, 'IFT_FILE_UNSUPPORTED', /rows\.jsonl: the entry is encrypted/],
    ['another method', { method: 93 }, 'IFT_FILE_UNSUPPORTED', /rows\.jsonl: .*method 93/],
    ['another checksum', { crc: 5 }, 'IFT_FILE_CORRUPT', /rows\.jsonl: its CRC-32 is .*, expected 5/],
    ['another size', { size: 9 }, 'IFT_FILE_CORRUPT', /rows\.jsonl: broken archive/],
    ['more than deflate makes', { size: 1e9 }, 'IFT_FILE_HOSTILE', /rows\.jsonl: 1000000000 bytes out of/],
    ['a way out', { name: '../rows.jsonl' }, 'IFT_FILE_HOSTILE', /\.\.\/rows\.jsonl/],
    ['a path from the root', { name: '/rows.jsonl' }, 'IFT_FILE_HOSTILE', /\/rows\.jsonl/],
  ])('%s is refused', async (_, told, code, message) => {
    await put('bad.zip', makeZip([{ name: 'rows.jsonl', data: lines(1, 2, 3), ...told }]))
    const error = await problem(read('bad.zip'))
    expect(error.code).toBe(code)
    expect(error.message).toMatch(message)
  })
  test('links and devices are passed over', async () => {
    const data = Buffer.from('a.jsonl')
    await put(
      'links.zip',
      makeZip([
        { name: 'l.jsonl', data, mode: 0o120777 },
        { name: 'd.jsonl', data, mode: 0o020644 },
        { name: 'a.jsonl', data: lines(1), mode: 0o100644 },
        { name: 'b.jsonl', data: lines(2), mode: 0o644 },
      ]),
    )
    expect(await numbers('links.zip')).toEqual([1, 2])
  })
  test('entries that lie over each other', async () => {
    const data = Buffer.from('{"n":1}\n'.repeat(10_000))
    const entries = Array.from({ length: 50 }, (_, i) => ({ name: `${i}.jsonl`, data, offset: 0 }))
    const whole = makeZip(entries)
    const one = makeZip(entries.slice(0, 1))
    // One piece of data, and fifty entries of the directory that mean it.
    const list = whole.subarray(whole.readUInt32LE(whole.length - 6), whole.length - 22)
    const end = Buffer.from(whole.subarray(whole.length - 22))
    const piece = one.subarray(0, one.readUInt32LE(one.length - 6))
    end.writeUInt32LE(piece.length, 16)
    await put('over.zip', Buffer.concat([piece, list, end]))
    const error = await problem(read('over.zip'))
    expect(error.code).toBe('IFT_FILE_HOSTILE')
    expect(error.message).toContain('they lie over each other')
  })
  test('a record that never ends', async () => {
    await put('zeros.zip', makeZip([{ name: 'rows.jsonl', data: Buffer.alloc(300 << 20, ' ') }]))
    const error = await problem(read('zeros.zip'))
    expect(error.code).toBe('IFT_DATA_RECORD')
    expect(error.message).toContain('zeros.zip!/rows.jsonl:1: a record of more than 256 MiB')
  })
  test('not a zip, and no data in it', async () => {
    await put('text.zip', 'hello')
    expect((await problem(read('text.zip'))).code).toBe('IFT_FILE_CORRUPT')
    await put('pictures.zip', makeZip([{ name: 'a.png', data: Buffer.from('x') }]))
    const error = await problem(read('pictures.zip'))
    expect(error.code).toBe('IFT_SOURCE_NOT_FOUND')
    expect(error.message).toContain('it has a.png')
  })
})

describe('tar', () => {
  test('ways out are refused, links are passed over', async () => {
    await put('out.tar', await tar([{ name: 'a/../../b.jsonl', data: lines(1) }]))
    expect((await problem(read('out.tar'))).code).toBe('IFT_FILE_HOSTILE')
    await put(
      'links.tar',
      await tar([
        { name: 'l.jsonl', data: new Uint8Array(0), type: 'symlink' },
        { name: 'a.jsonl', data: lines(1) },
      ]),
    )
    expect(await numbers('links.tar')).toEqual([1])
  })
  test('a header that was changed names the entry before it', async () => {
    const bytes = await tar(content)
    bytes[3 * 512 + 512]! ^= 1
    await put('header.tar', bytes)
    const error = await problem(read('header.tar'))
    expect(error.code).toBe('IFT_FILE_CORRUPT')
    expect(error.message).toContain('header.tar!/')
  })
  test('names longer than a header has room for', async () => {
    const name = `${'folder/'.repeat(40)}漢.jsonl`
    await put('long.tar', await tar([{ name, data: lines(7) }]))
    expect((await read('long.tar'))[0]!.where).toBe(`long.tar!/${name}:1`)
  })
  test.skipIf(process.platform === 'win32')('what the tar program writes', async () => {
    await put('made/a.jsonl', lines(1))
    await put('made/deep/b.jsonl', lines(2))
    execFileSync('tar', ['-C', dir, '-czf', `${dir}/made.tar.gz`, './made'])
    expect(await numbers('made.tar.gz')).toEqual(expect.arrayContaining([1, 2]))
  })
})

test('Parquet in an archive is unpacked for as long as it is read', async () => {
  const data = new Uint8Array(
    parquetWriteBuffer({ columnData: [{ name: 'n', data: [1, 2], type: 'INT32' }] }),
  )
  await put('p.zip', makeZip([{ name: 'rows.parquet', data }]))
  expect((await read('p.zip')).map(({ where }) => where)).toEqual([
    'p.zip!/rows.parquet#1',
    'p.zip!/rows.parquet#2',
  ])
  expect((await readdir(tmpdir())).filter((name) => name.startsWith('ift-unpacked-'))).toEqual([])
  await put('q.tar', await tar([{ name: 'rows.parquet', data: data.subarray(0, 40) }]))
  const error = await problem(read('q.tar'))
  expect(error.code).toBe('IFT_FILE_CORRUPT')
  expect(error.message).toContain('q.tar!/rows.parquet')
})

test.each(['TMPDIR', 'TMPDIR of a file'])('a place where nothing is unpacked to: %s', async (name) => {
  const data = new Uint8Array(parquetWriteBuffer({ columnData: [{ name: 'n', data: [1], type: 'INT32' }] }))
  await put('p.zip', makeZip([{ name: 'rows.parquet', data }]))
  const place = name === 'TMPDIR' ? `${dir}/missing` : `${dir}/p.zip`
  for (const variable of ['TMPDIR', 'TEMP', 'TMP']) vi.stubEnv(variable, place)
  const error = await problem(read('p.zip').finally(() => vi.unstubAllEnvs()))
  expect(error.code).toBe('IFT_FILE_UNWRITABLE')
  expect(error.message).toContain(`p.zip!/rows.parquet, unpacked to ${place}`)
})

test('any cut into entries and archives holds the same records', async () => {
  const rows = Array.from({ length: 200 }, (_, i) => ({ n: i, text: '漢"\\\n'.repeat(i % 7) }))
  for (const size of [1, 3, 50, 200]) {
    const entries = []
    for (let i = 0; i < rows.length; i += size) {
      const part = rows.slice(i, i + size)
      const jsonl = (i / size) % 2 === 0
      entries.push({
        name: `${String(i).padStart(3, '0')}.${jsonl ? 'jsonl' : 'json'}`,
        data: Buffer.from(jsonl ? part.map((row) => JSON.stringify(row)).join('\n') : JSON.stringify(part)),
      })
    }
    await put('same.zip', makeZip(entries))
    await put('same.tar', await tar(entries))
    for (const name of ['same.zip', 'same.tar'])
      expect((await read(name)).map(({ record }) => record)).toEqual(rows)
  }
})
