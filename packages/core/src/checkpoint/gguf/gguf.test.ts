import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import type { GgufMapping } from '../../contract/gguf.js'
import { openCheckpoint } from '../source.js'
import { ggufConfig, ggufGeneration, mapGguf, openGguf } from './index.js'

let dir: string
beforeAll(async () => {
  dir = await mkdtemp(join(tmpdir(), 'ift-gguf-'))
})
afterAll(() => rm(dir, { recursive: true }))

const u32 = (value: number) => Buffer.from(Uint32Array.of(value).buffer)
const u64 = (value: number) => Buffer.from(BigUint64Array.of(BigInt(value)).buffer)
const text = (value: string) => Buffer.concat([u64(Buffer.byteLength(value)), Buffer.from(value)])

interface Written {
  readonly name: string
  readonly shape: readonly number[]
  readonly type?: number
  readonly offset?: number
}

/** Bytes of a GGUF file; data are zeros. Numbers are u32, others are written as they are given. */
function gguf(
  metadata: Readonly<Record<string, number | string | Buffer>>,
  tensors: readonly Written[] = [],
  dataBytes = 4096,
): Buffer {
  const pairs = Object.entries(metadata).map(([key, value]) =>
    Buffer.concat([
      text(key),
      typeof value === 'number' ? u32(4) : typeof value === 'string' ? u32(8) : Buffer.alloc(0),
      typeof value === 'number' ? u32(value) : typeof value === 'string' ? text(value) : value,
    ]),
  )
  let next = 0
  const described = tensors.map(({ name, shape, type = 0, offset }) => {
    const at = offset ?? next
    next = at + Math.ceil((shape.reduce((a, b) => a * b, 1) * 4) / 32) * 32
    return Buffer.concat([text(name), u32(shape.length), ...shape.toReversed().map(u64), u32(type), u64(at)])
  })
  const header = Buffer.concat([
    Buffer.from('GGUF'),
    u32(3),
    u64(tensors.length),
    u64(Object.keys(metadata).length),
    ...pairs,
    ...described,
  ])
  return Buffer.concat([header, Buffer.alloc((32 - (header.length % 32)) % 32), Buffer.alloc(dataBytes)])
}

const write = async (name: string, bytes: Buffer) => {
  const path = join(dir, name)
  await writeFile(path, bytes)
  return path
}

describe('types', () => {
  test.each([
    [18, 'IQ3_XXS'],
    [21, 'IQ3_S'],
    [34, 'TQ1_0'],
    [39, 'MXFP4'],
    [40, 'NVFP4'],
    [9, 'Q8_1'],
    [99, 'number 99'],
  ])('%d is refused by its name', async (type, name) => {
    const path = await write('type.gguf', gguf({}, [{ name: 'a.weight', shape: [2, 256], type }]))
    await expect(openGguf(path)).rejects.toMatchObject({
      code: 'IFT_FILE_UNSUPPORTED',
      message: expect.stringContaining(`a.weight has the type ${name};`) as string,
      hint: expect.stringContaining('Q4_K_M and Q8_0') as string,
    })
  })

  test.each([
    [12, 128, 'Q4_K'],
    [14, 288, 'Q6_K'],
    [6, 48, 'Q5_0'],
  ])('a row of type %d that is no whole number of blocks is refused', async (type, width, name) => {
    const path = await write('row.gguf', gguf({}, [{ name: 'a.weight', shape: [2, width], type }]))
    await expect(openGguf(path)).rejects.toThrow(
      new RegExp(`rows of ${width} do not fall into blocks of \\d+ of ${name}`),
    )
  })

  test('blocks must lie in the file', async () => {
    const tensors = [{ name: 'a.weight', shape: [8, 256], type: 14 }]
    await expect(openGguf(await write('long.gguf', gguf({}, tensors, 8 * 210 - 1)))).rejects.toMatchObject({
      code: 'IFT_FILE_CORRUPT',
    })
    const { tensors: found } = await openGguf(await write('whole.gguf', gguf({}, tensors, 8 * 210)))
    expect(found.get('a.weight')).toMatchObject({ dtype: 'Q6_K', bytes: 8 * 210, shape: [8, 256] })
  })

  test('quantised tensors that overlap by a block are refused', async () => {
    const tensors = [
      { name: 'a.weight', shape: [1, 256], type: 12, offset: 0 },
      { name: 'b.weight', shape: [1, 256], type: 12, offset: 128 },
    ]
    await expect(openGguf(await write('over.gguf', gguf({}, tensors)))).rejects.toThrow(/overlaps another/)
  })
})

describe('hostile headers', () => {
  const array = (type: number, length: number) => Buffer.concat([u32(9), u32(type), u64(length)])
  const nested = (depth: number): Buffer =>
    depth === 0 ? Buffer.concat([u32(4), u64(0)]) : Buffer.concat([u32(9), u64(1), nested(depth - 1)])
  test.each<[string, Record<string, Buffer>]>([
    ['a string beyond the file', { a: Buffer.concat([u32(8), u64(2 ** 40), Buffer.from('x')]) }],
    ['a string of 2^64 - 1 bytes', { a: Buffer.concat([u32(8), Buffer.alloc(8, 255)]) }],
    ['an array longer than the file', { a: array(0, 2 ** 33) }],
    ['arrays in arrays without end', { a: Buffer.concat([u32(9), nested(40)]) }],
    ['a value of no known type', { a: u32(77) }],
  ])('%s', async (_, metadata) => {
    const path = await write('hostile.gguf', gguf(metadata))
    await expect(openGguf(path)).rejects.toMatchObject({ name: 'IftError', code: 'IFT_FILE_CORRUPT' })
  })

  test.each([
    ['tensors', 8],
    ['keys', 16],
  ])('2^40 %s', async (_, at) => {
    const bytes = gguf({})
    bytes.writeBigUInt64LE(2n ** 40n, at)
    await expect(openGguf(await write('counts.gguf', bytes))).rejects.toMatchObject({
      code: 'IFT_FILE_CORRUPT',
    })
  })
})

describe('a file in parts', () => {
  const part = (index: number, count: number, tensor: string, total = 2) =>
    gguf(
      {
        ...(index === 0 ? { 'general.architecture': 'llama' } : {}),
        'split.no': index,
        'split.count': count,
        'split.tensors.count': total,
      },
      [{ name: tensor, shape: [2, 4] }],
    )
  const name = (index: number, count: number, stem = 'm') =>
    `${stem}-${String(index).padStart(5, '0')}-of-${String(count).padStart(5, '0')}.gguf`

  test('opens by any of them, and by the folder', async () => {
    const folder = await mkdtemp(join(dir, 'parts-'))
    await writeFile(join(folder, name(1, 2)), part(0, 2, 'a'))
    await writeFile(join(folder, name(2, 2)), part(1, 2, 'b'))
    for (const path of [name(1, 2), name(2, 2), '']) {
      const source = await openCheckpoint(join(folder, path))
      expect(source.path).toBe(join(folder, name(1, 2)))
      expect([...source.names()]).toEqual(['a', 'b'])
      expect(source.metadata.get('general.architecture')).toBe('llama')
      expect(source.describe()).toContain('(2 files)')
    }
  })

  test.each<[string, Record<string, Buffer>, string, RegExp]>([
    [
      'a missing part',
      { [name(1, 2)]: part(0, 2, 'a') },
      name(1, 2),
      /m-00002-of-00002.gguf: no such file, which is a part/,
    ],
    [
      'a missing first part',
      { [name(2, 2)]: part(1, 2, 'b') },
      name(2, 2),
      /m-00001-of-00002.gguf: no such file/,
    ],
    [
      'a name that is no part',
      { 'm.gguf': part(0, 2, 'a') },
      'm.gguf',
      /one of 2 parts of a file, which its name does not say/,
    ],
    [
      'a part of another place',
      { [name(1, 2)]: part(0, 2, 'a'), [name(2, 2)]: part(0, 2, 'b') },
      name(1, 2),
      /says that it is part 0 \(from 0\) of 2, expected 1 of 2/,
    ],
    [
      'a tensor in two parts',
      { [name(1, 2)]: part(0, 2, 'a'), [name(2, 2)]: part(1, 2, 'a') },
      name(1, 2),
      /which an earlier part has too/,
    ],
    [
      'too few tensors',
      { [name(1, 2)]: part(0, 2, 'a', 3), [name(2, 2)]: part(1, 2, 'b', 3) },
      name(1, 2),
      /have 2 tensors, expected 3/,
    ],
    ['a count beyond the name', { [name(1, 2)]: part(0, 65535, 'a') }, name(1, 2), /one of 65535 parts/],
  ])('%s is named', async (_, files, path, message) => {
    const folder = await mkdtemp(join(dir, 'wrong-'))
    for (const [file, bytes] of Object.entries(files)) await writeFile(join(folder, file), bytes)
    await expect(openCheckpoint(join(folder, path))).rejects.toThrow(message)
  })
})

describe('a mapping', () => {
  const mapping: GgufMapping = {
    architectures: ['tiny'],
    tables: ['table.weight'],
    config: ({ tables, shapes }) => ({
      table: tables.get('table.weight')?.length,
      rows: shapes.get('q.weight')?.[0],
    }),
    modules: () => [
      {
        module: 'qkv',
        names: ['q', 'k'],
        rows: { counts: [2, 1], order: () => Int32Array.of(2, 1, 0) },
      },
    ],
  }
  const open = async (tensors: readonly Written[]) =>
    openCheckpoint(await write('mapped.gguf', gguf({ 'general.architecture': 'tiny' }, tensors)))

  test('joins parts of a module, and leaves tables out', async () => {
    const source = await open([
      { name: 'q.weight', shape: [2, 4] },
      { name: 'k.weight', shape: [1, 4] },
      { name: 'table.weight', shape: [3] },
    ])
    const config = await ggufConfig(source, mapping)
    expect(config).toEqual({ tie_word_embeddings: true, table: 3, rows: 2 })
    const mapped = mapGguf(source, mapping, config)
    expect([...mapped.names()]).toEqual(['qkv.weight'])
    expect(mapped.info('qkv.weight').shape).toEqual([3, 4])
    expect(mapped.describe()).toContain('1 tensors')
  })

  test.each<[string, Written[], string, RegExp]>([
    [
      'a part that is missing',
      [{ name: 'q.weight', shape: [2, 4] }],
      'IFT_WEIGHTS_MISSING',
      /lacks k, beside q/,
    ],
    [
      'more rows than heads have',
      [
        { name: 'q.weight', shape: [4, 4] },
        { name: 'k.weight', shape: [1, 4] },
      ],
      'IFT_WEIGHTS_SHAPE',
      /q expected \[2, 4\], found \[4, 4\]/,
    ],
    [
      'parts of different widths',
      [
        { name: 'q.weight', shape: [2, 4] },
        { name: 'k.weight', shape: [1, 8] },
      ],
      'IFT_WEIGHTS_SHAPE',
      /k expected \[1, 4\], found \[1, 8\]/,
    ],
    [
      'a part of whole numbers',
      [
        { name: 'q.weight', shape: [2, 4], type: 26 },
        { name: 'k.weight', shape: [1, 4] },
      ],
      'IFT_WEIGHTS_DTYPE',
      /q expected floating-point numbers, found I32/,
    ],
  ])('%s is named', async (_, tensors, code, message) => {
    const source = await open(tensors)
    const attempt = () => mapGguf(source, mapping, {})
    expect(attempt).toThrow(expect.objectContaining({ code }))
    expect(attempt).toThrow(message)
  })

  test('a table larger than any head is refused', async () => {
    const path = await write(
      'table.gguf',
      gguf({ 'general.architecture': 'tiny' }, [{ name: 'table.weight', shape: [1 << 17] }], 4 << 17),
    )
    await expect(ggufConfig(await openCheckpoint(path), mapping)).rejects.toThrow(
      /131072 values, more than 65536/,
    )
  })
})

test('tokens that end a turn beside that of a text are those of generation_config.json', () => {
  const key = (name: string, id: number) => [`tokenizer.ggml.${name}_token_id`, id] as const
  expect(ggufGeneration({ metadata: new Map([key('eos', 1), key('eot', 106)]) })).toEqual({
    eos_token_id: [1, 106],
  })
  expect(ggufGeneration({ metadata: new Map([key('eos', 1), key('eot', 1)]) })).toBeUndefined()
  expect(ggufGeneration({ metadata: new Map() })).toBeUndefined()
})
