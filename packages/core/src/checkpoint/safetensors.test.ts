import { access, mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { IftError, tensor } from '@ift/tensor'
import { referenceBackend } from '@ift/tensor/reference'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { replaceDir, verifyFolder, writeFileAtomic, writeHashes } from '../files/atomic.js'
import { fromMemory } from './from-memory.fixture.js'
import { openSafetensors, fromTensor, writeSafetensors } from './safetensors.js'
import { readStored, readValues } from './stored.js'

const fixtures = fileURLToPath(new URL('../../../../fixtures', import.meta.url))
let dir: string
beforeAll(async () => {
  dir = await mkdtemp(join(tmpdir(), 'ift-safetensors-'))
})
afterAll(() => rm(dir, { recursive: true }))

const refused = expect.objectContaining({
  name: 'IftError',
  code: expect.stringMatching(/^IFT_FILE_(CORRUPT|UNSUPPORTED)$/) as string,
}) as IftError

/** A file from a header and some data. */
async function craft(name: string, header: unknown, dataBytes: number, length?: bigint): Promise<string> {
  const json = Buffer.from(typeof header === 'string' ? header : JSON.stringify(header))
  const head = Buffer.alloc(8)
  head.writeBigUInt64LE(length ?? BigInt(json.length))
  const path = join(dir, name)
  await writeFile(path, Buffer.concat([head, json, Buffer.alloc(dataBytes)]))
  return path
}

describe('reading', () => {
  test('gives names, types, shapes and values', async () => {
    const file = await openSafetensors(join(fixtures, 'checkpoint/layouts/expected.safetensors'))
    const half = file.tensors.get('f16')!
    expect([half.dtype, half.shape, half.bytes]).toEqual(['F16', [3], 6])
    expect([...(await readValues(half))]).toEqual([1365 / 4096, 65504, 2 ** -24])
    expect(file.tensors.get('empty')!.shape).toEqual([0, 4])
    const bytes = await readStored(file.tensors.get('buffer_i64')!)
    expect([...new BigInt64Array(bytes.buffer)]).toEqual([-1n, 2n ** 40n, 3n])
    const wide = await readValues(file.tensors.get('f64')!)
    expect([...wide]).toEqual([Math.fround(1 / 3), Infinity])
  })

  test.each([
    'beyond-end',
    'header-too-long',
    'hole',
    'not-json',
    'overflow',
    'overlap',
    'shape-mismatch',
    'truncated',
    'unknown-dtype',
  ])('refuses %s', async (name) => {
    await expect(openSafetensors(join(fixtures, `checkpoint/refused/${name}.safetensors`))).rejects.toEqual(
      refused,
    )
  })

  test.each<[string, unknown, number, bigint?]>([
    ['a list', [], 0],
    ['a number', 5, 0],
    ['null', 'null', 0],
    [
      'a name twice',
      '{"a":{"dtype":"U8","shape":[1],"data_offsets":[0,1]},"\\u0061":{"dtype":"U8","shape":[1],"data_offsets":[0,1]}}',
      1,
    ],
    ['an entry that is a string', { a: 'x' }, 0],
    ['an entry that is null', { a: null }, 0],
    ['a negative offset', { a: { dtype: 'U8', shape: [2], data_offsets: [-1, 1] } }, 1],
    ['an end before the start', { a: { dtype: 'U8', shape: [0], data_offsets: [2, 0] } }, 2],
    ['a fraction in the shape', { a: { dtype: 'U8', shape: [0.5, 2], data_offsets: [0, 1] } }, 1],
    ['a size beyond 2^53', { a: { dtype: 'U8', shape: [2 ** 40, 2 ** 40], data_offsets: [0, 1] } }, 1],
    ['metadata that are no strings', { __metadata__: { a: 1 } }, 0],
    ['metadata in a list', { __metadata__: ['a'] }, 0],
    ['bytes after the last tensor', { a: { dtype: 'U8', shape: [1], data_offsets: [0, 1] } }, 2],
    ['a header of 2^63 bytes', {}, 0, 2n ** 63n],
    ['a header of 100,000,001 bytes', {}, 0, 100_000_001n],
    ['invalid UTF-8', '{"\u00ff":', 0],
  ])('refuses %s', async (name, header, data, length) => {
    await expect(openSafetensors(await craft('crafted', header, data, length)), name).rejects.toEqual(refused)
  })

  test('names a Git LFS pointer', async () => {
    const path = join(dir, 'pointer')
    await writeFile(path, 'version https://git-lfs.github.com/spec/v1\noid sha256:00\nsize 5\n')
    await expect(openSafetensors(path)).rejects.toThrow(/Git LFS/)
  })

  test('refuses a file cut at any byte', async () => {
    const whole = await readFile(join(fixtures, 'llama-variants/plain/model.safetensors'))
    const path = join(dir, 'cut')
    const step = Math.ceil(whole.length / 100)
    for (let end = 0; end < whole.length; end += end < 64 ? 1 : step) {
      await writeFile(path, whole.subarray(0, end))
      await expect(openSafetensors(path), `${end} bytes`).rejects.toEqual(refused)
    }
  })

  test('a header with random bytes is refused or still describes the file exactly', async () => {
    const whole = await readFile(join(fixtures, 'llama-variants/plain/model.safetensors'))
    const path = join(dir, 'fuzzed')
    let state = 7
    const next = (below: number) => {
      state = (Math.imul(state, 1103515245) + 12345) >>> 0
      return Math.floor((state / 2 ** 32) * below)
    }
    const header = Number(whole.readBigUInt64LE())
    let refusals = 0
    for (let round = 0; round < 300; round++) {
      const changed = Buffer.from(whole)
      for (let i = 0; i <= next(4); i++) changed[next(8 + header)] = next(256)
      await writeFile(path, changed)
      try {
        const { tensors } = await openSafetensors(path)
        let bytes = 0
        for (const tensor of tensors.values()) bytes += tensor.bytes
        expect(bytes).toBe(whole.length - 8 - Number(changed.readBigUInt64LE()))
      } catch (error) {
        expect(error).toEqual(refused)
        refusals++
      }
    }
    expect(refusals).toBeGreaterThan(100)
  })
})

describe('writing', () => {
  test.each([
    'llama-tiny/model',
    'checkpoint/layouts/expected',
    'checkpoint/bf16/model',
    'peft-lora/dora/adapter_model',
  ])('gives the bytes of the original for %s', async (name) => {
    const source = join(fixtures, `${name}.safetensors`)
    const { tensors, metadata } = await openSafetensors(source)
    const again = await Promise.all(
      [...tensors].map(async ([key, t]) => fromMemory(key, t.dtype as 'F32', t.shape, await readStored(t))),
    )
    const path = join(dir, 'again.safetensors')
    await writeSafetensors(path, again.reverse(), Object.fromEntries(metadata))
    expect((await readFile(path)).equals(await readFile(source))).toBe(true)
  })

  test('takes tensors of a device, rounded where asked for', async () => {
    const backend = referenceBackend()
    const values = [1, -2.5, 1 / 3, 65504]
    const t = tensor(backend, values, [2, 2])
    const path = join(dir, 'device.safetensors')
    await writeSafetensors(path, [fromTensor('a', t), fromTensor('b', t, 'bf16')])
    const { tensors } = await openSafetensors(path)
    expect([...(await readValues(tensors.get('a')!))]).toEqual(values.map(Math.fround))
    expect([...(await readValues(tensors.get('b')!))]).toEqual([1, -2.5, 0.333984375, 65536])
    t.release()
    expect(backend.memory().buffers).toBe(0)
  })

  test('a full disk leaves the old file and no temporary one', async () => {
    const path = join(dir, 'full', 'model.safetensors')
    await writeSafetensors(path, [fromMemory('a', 'U8', [1], Uint8Array.of(1))])
    const before = await readFile(path)
    const full = { ...fromMemory('a', 'U8', [2], Uint8Array.of(1, 2)) }
    full.bytes = async function* () {
      yield Uint8Array.of(1)
      await Promise.resolve()
      throw Object.assign(new Error('no space left on device'), { code: 'ENOSPC' })
    }
    await expect(writeSafetensors(path, [full])).rejects.toMatchObject({ code: 'IFT_DISK_FULL' })
    expect((await readFile(path)).equals(before)).toBe(true)
    expect(await readdir(join(dir, 'full'))).toEqual(['model.safetensors'])
  })

  test('refuses a producer that gives too few bytes, and a name twice', async () => {
    const path = join(dir, 'short.safetensors')
    const short = fromMemory('a', 'F32', [2], new Uint8Array(4))
    await expect(writeSafetensors(path, [short])).rejects.toThrow(
      /tensor a: expected 8 bytes to write, found 4/,
    )
    const one = fromMemory('a', 'U8', [1], Uint8Array.of(1))
    await expect(writeSafetensors(path, [one, one])).rejects.toThrow(/twice/)
    await expect(access(path)).rejects.toThrow()
  })
})

describe('folders', () => {
  const write = (files: Record<string, string>) => async (to: string) => {
    for (const [name, text] of Object.entries(files)) await writeFileAtomic(join(to, name), text)
  }

  test('are replaced whole, but never with a stranger inside', async () => {
    const target = join(dir, 'model')
    await replaceDir(target, write({ 'a.json': '1', 'b.json': '1' }), { hashes: false })
    await expect(replaceDir(target, write({ 'a.json': '2' }), { hashes: false })).rejects.toMatchObject({
      code: 'IFT_FOLDER_IN_USE',
    })
    await replaceDir(target, write({ 'a.json': '2' }), { hashes: false, ours: (name) => name === 'b.json' })
    expect(await readdir(target)).toEqual(['a.json'])
    await writeFile(join(target, 'notes.txt'), 'mine')
    await expect(replaceDir(target, write({ 'a.json': '3' }))).rejects.toThrow(/notes\.txt/)
    expect(await readFile(join(target, 'a.json'), 'utf8')).toBe('2')
    expect((await readdir(dir)).filter((name) => name.startsWith('.model'))).toEqual([])
  })

  test('a failing writer leaves what was there', async () => {
    const target = join(dir, 'kept')
    await replaceDir(target, write({ a: '1' }))
    const fails = async (to: string) => {
      await write({ a: '2' })(to)
      throw Object.assign(new Error('full'), { code: 'ENOSPC' })
    }
    await expect(replaceDir(target, fails)).rejects.toMatchObject({ code: 'IFT_DISK_FULL' })
    expect(await readFile(join(target, 'a'), 'utf8')).toBe('1')
    expect((await readdir(dir)).filter((name) => name.startsWith('.kept'))).toEqual([])
  })

  test('count only with hashes that fit', async () => {
    const target = join(dir, 'hashed')
    await write({ a: 'one', 'sub/b': 'two' })(target)
    await expect(verifyFolder(target)).rejects.toMatchObject({ code: 'IFT_FOLDER_INCOMPLETE' })
    await writeHashes(target)
    await verifyFolder(target)
    await writeFile(join(target, 'sub/b'), 'tow')
    await expect(verifyFolder(target)).rejects.toThrow(/sub\/b: expected sha256/)
    await writeFile(join(target, 'sub/b'), 'longer')
    await expect(verifyFolder(target)).rejects.toThrow(/expected 3 bytes, found 6/)
    await rm(join(target, 'sub'), { recursive: true })
    await expect(verifyFolder(target)).rejects.toMatchObject({ code: 'IFT_FOLDER_INCOMPLETE' })
    // All of it is listed, so that another list of files may replace it.
    await rm(join(target, 'a'))
    await replaceDir(target, write({ c: '3' }))
    expect((await readdir(target)).sort()).toEqual(['c', 'hashes.json'])
    await verifyFolder(target)
  })
})
