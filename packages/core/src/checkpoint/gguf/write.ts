import type { GgufValue } from '../../contract/gguf.js'
import { writeAll, writeFileAtomic } from '../../files/atomic.js'
import { mostTensorsInFile } from '../../files/bounds.js'
import { corrupt, unsupported } from '../../files/errors.js'
import { storedBytes, type StoredDType } from '../numbers.js'
import { sizeOf } from '../stored.js'
import { typeNumber } from './types.js'

/** A tensor to write. Its bytes are asked for when its turn comes, so that a model is never held twice. */
export interface GgufTensorToWrite {
  readonly name: string
  readonly dtype: StoredDType
  /** Outermost first, as everywhere in ift. Rows hold whole blocks. */
  readonly shape: readonly number[]
  /** In pieces of any size. */
  bytes(): AsyncIterable<Uint8Array>
}

/** Every tensor begins at a multiple of this, which is what files have that do not say. */
const alignment = 32
/** ggml's limits. */
const mostName = 63
const mostDimensions = 4

const aligned = (length: number) => Math.ceil(length / alignment) * alignment

const u32 = (value: number) => Buffer.from(Uint32Array.of(value).buffer)
const u64 = (value: number) => Buffer.from(BigUint64Array.of(BigInt(value)).buffer)
const text = (value: string) => {
  const bytes = Buffer.from(value)
  return Buffer.concat([u64(bytes.length), bytes])
}

/** Numbers of the types of values. */
const types = { u8: 0, i32: 5, u32: 4, f32: 6, bool: 7, string: 8, array: 9 } as const

function valueBytes(value: GgufValue): Buffer {
  if (typeof value === 'string') return Buffer.concat([u32(types.string), text(value)])
  if (typeof value === 'boolean') return Buffer.concat([u32(types.bool), Buffer.of(Number(value))])
  if ('u32' in value) return Buffer.concat([u32(types.u32), u32(value.u32)])
  if ('f32' in value) return Buffer.concat([u32(types.f32), Buffer.from(Float32Array.of(value.f32).buffer)])
  const list = (type: keyof typeof types, ...items: readonly Buffer[]) =>
    Buffer.concat([u32(types.array), u32(types[type]), u64(value.length), ...items])
  if (ArrayBuffer.isView(value)) {
    const bytes = Buffer.from(value.buffer, value.byteOffset, value.byteLength)
    return list(value instanceof Float32Array ? 'f32' : value instanceof Int32Array ? 'i32' : 'u8', bytes)
  }
  if (value.every((item) => typeof item === 'boolean')) return list('bool', Buffer.from(value.map(Number)))
  return list('string', ...value.map(text))
}

/**
 * Writes a GGUF file of version 3: metadata in the order of the map, then the tensors. The old file stays until the new one is whole.
 * IFT_FILE_UNSUPPORTED for what no such file can hold: names of more than 63 bytes, more than 4 dimensions, no tensor at all.
 */
export async function writeGguf(
  path: string,
  metadata: ReadonlyMap<string, GgufValue>,
  tensors: readonly GgufTensorToWrite[],
): Promise<void> {
  if (tensors.length > mostTensorsInFile)
    throw unsupported(
      path,
      `${tensors.length} tensors are more than ${mostTensorsInFile}`,
      'Write several files.',
    )
  const names = new Set<string>()
  let end = 0
  const described = tensors.map(({ name, dtype, shape }) => {
    if (names.has(name))
      throw corrupt(path, `tensor ${name} would be written twice`, 'Give every tensor its own name.')
    names.add(name)
    if (Buffer.byteLength(name) > mostName || shape.length > mostDimensions)
      throw unsupported(
        path,
        `tensor ${name} has ${Buffer.byteLength(name)} bytes of name and ${shape.length} dimensions, and GGUF holds ${mostName} and ${mostDimensions}`,
        'Export it in another format: npx ift export hf',
      )
    const start = end
    end = aligned(end + storedBytes(dtype, sizeOf(shape)))
    return Buffer.concat([
      text(name),
      u32(shape.length),
      ...shape.toReversed().map(u64),
      u32(typeNumber(dtype)),
      u64(start),
    ])
  })
  const pairs = [...metadata].map(([key, value]) => Buffer.concat([text(key), valueBytes(value)]))
  const header = Buffer.concat([
    Buffer.from('GGUF'),
    u32(3),
    u64(tensors.length),
    u64(metadata.size),
    ...pairs,
    ...described,
  ])
  await writeFileAtomic(path, async (file) => {
    const pad = (length: number) => writeAll(file, new Uint8Array(aligned(length) - length))
    await writeAll(file, header)
    await pad(header.length)
    for (const tensor of tensors) {
      const expected = storedBytes(tensor.dtype, sizeOf(tensor.shape))
      let written = 0
      for await (const piece of tensor.bytes()) {
        await writeAll(file, piece)
        written += piece.length
      }
      if (written !== expected)
        throw corrupt(path, `tensor ${tensor.name}: expected ${expected} bytes to write, found ${written}`)
      await pad(written)
    }
  })
}
