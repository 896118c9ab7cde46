import { itemSize, type FloatDType, type Tensor } from '@ift/tensor'
import { writeAll, writeFileAtomic } from '../files/atomic.js'
import { mostTensorsInFile } from '../files/bounds.js'
import { corrupt, unsupported } from '../files/errors.js'
import { isPlain, itemBytes, storedType, type PlainDType } from './numbers.js'
import { fileSize, readBytes, refusePointer } from '../files/read-bytes.js'
import { boundJson, JsonBound } from '../files/read-json.js'
import { sizeOf, type StoredTensor } from './stored.js'

/** Longest header that any reader of the format accepts. */
const mostHeader = 100_000_000

export interface Safetensors {
  readonly path: string
  readonly metadata: ReadonlyMap<string, string>
  /** In the order in which they lie in the file. */
  readonly tensors: ReadonlyMap<string, StoredTensor>
}

/**
 * Reads the header of a safetensors file: 8 bytes of its length, JSON, then the tensors end to end. Everything that a later
 * read relies on is checked here; `IFT_FILE_CORRUPT` says what does not fit.
 */
export async function openSafetensors(path: string): Promise<Safetensors> {
  const size = await fileSize(path)
  const head = await readBytes(path, 0, Math.min(size, 64))
  refusePointer(path, head)
  if (size < 8) throw corrupt(path, `expected at least 8 bytes, found ${size}`)
  const view = new DataView(head.buffer, head.byteOffset)
  const length = view.getUint32(0, true) + view.getUint32(4, true) * 2 ** 32
  if (length > mostHeader) {
    throw corrupt(path, `its header would have ${length} bytes, more than the ${mostHeader} that are allowed`)
  }
  if (length > size - 8) {
    throw corrupt(path, `its header would have ${length} bytes, but only ${size - 8} follow`)
  }
  const text = new TextDecoder('utf-8', { fatal: true })
  let json: string
  let header: unknown
  try {
    json = text.decode(await readBytes(path, 8, length))
    boundJson(json)
    header = JSON.parse(json)
  } catch (cause) {
    if (cause instanceof JsonBound)
      throw corrupt(path, `its header is none: ${cause.message}`, undefined, cause)
    if (cause instanceof SyntaxError || cause instanceof TypeError) {
      throw corrupt(path, 'its header is not JSON', undefined, cause)
    }
    throw cause
  }
  if (typeof header !== 'object' || header === null || Array.isArray(header)) {
    throw corrupt(path, 'its header is not a JSON object')
  }
  const entries = Object.entries(header as Record<string, unknown>)
  // JSON.parse keeps the last of equal names, which would hide a tensor.
  if (memberCount(json) !== entries.length) throw corrupt(path, 'its header has a name twice')
  if (entries.length > mostTensorsInFile)
    throw corrupt(path, `its header has ${entries.length} entries, more than ${mostTensorsInFile}`)
  const metadata = new Map<string, string>()
  const found: [name: string, tensor: StoredTensor][] = []
  const dataStart = 8 + length
  for (const [name, entry] of entries) {
    if (name !== '__metadata__') {
      found.push([name, storedOf(path, name, entry, dataStart)])
      continue
    }
    if (typeof entry !== 'object' || entry === null || Array.isArray(entry)) {
      throw corrupt(path, '__metadata__ is not an object of strings')
    }
    for (const [key, value] of Object.entries(entry)) {
      if (typeof value !== 'string') throw corrupt(path, `__metadata__.${key} is not a string`)
      metadata.set(key, value)
    }
  }
  found.sort(([, a], [, b]) => a.offset - b.offset || a.bytes - b.bytes)
  let end = dataStart
  for (const [name, tensor] of found) {
    if (tensor.offset !== end) {
      throw corrupt(
        path,
        `tensor ${name} starts at byte ${tensor.offset}, expected ${end}: tensors must lie end to end`,
      )
    }
    end += tensor.bytes
  }
  if (end !== size) throw corrupt(path, `expected ${end} bytes by its header, found ${size}`)
  return { path, metadata, tensors: new Map(found) }
}

/** Members of the outermost object of valid JSON. */
function memberCount(json: string): number {
  let depth = 0
  let count = 0
  let inString = false
  for (let i = 0; i < json.length; i++) {
    const c = json.charCodeAt(i)
    if (inString) {
      if (c === 0x5c) i++
      else if (c === 0x22) inString = false
    } else if (c === 0x22) inString = true
    else if (c === 0x7b || c === 0x5b) depth++
    else if (c === 0x7d || c === 0x5d) depth--
    // Only names and literals stand before a colon at depth 1.
    else if (c === 0x3a && depth === 1) count++
  }
  return count
}

const isCount = (value: unknown): value is number => Number.isSafeInteger(value) && (value as number) >= 0

function storedOf(path: string, name: string, entry: unknown, dataStart: number): StoredTensor {
  const { dtype, shape, data_offsets: offsets } = (entry ?? {}) as Record<string, unknown>
  if (typeof dtype !== 'string') throw corrupt(path, `tensor ${name}: dtype is not a string`)
  if (!isPlain(dtype)) {
    throw unsupported(
      path,
      `tensor ${name} has dtype ${dtype}; known are ${Object.keys(itemBytes).join(', ')}`,
      'Save it in one of these types.',
    )
  }
  if (!Array.isArray(shape) || !shape.every(isCount)) {
    throw corrupt(path, `tensor ${name}: shape is not a list of sizes`)
  }
  if (!Array.isArray(offsets) || offsets.length !== 2 || !offsets.every(isCount)) {
    throw corrupt(path, `tensor ${name}: data_offsets is not a pair of positions`)
  }
  const [start, end] = offsets as [number, number]
  const bytes = sizeOf(shape) * itemBytes[dtype]
  if (!Number.isSafeInteger(bytes) || end - start !== bytes) {
    throw corrupt(
      path,
      `tensor ${name}: ${dtype} [${shape.join(', ')}] has ${bytes} bytes, its data_offsets are ${end - start} apart`,
    )
  }
  return { file: path, dtype, shape, offset: dataStart + start, bytes }
}

/** A tensor to write. Its bytes are asked for when its turn comes, so that a model is never held twice. */
export interface TensorToWrite {
  readonly name: string
  readonly dtype: PlainDType
  readonly shape: readonly number[]
  /** The elements, row-major and little-endian, in pieces of any size. */
  bytes(): AsyncIterable<Uint8Array>
}

const pieceBytes = 32 * 1024 * 1024

/** A tensor of a device, read from there in pieces; rounded to `dtype` on the device when it differs from its own. */
export const fromTensor = (name: string, source: Tensor, dtype = source.dtype): TensorToWrite => ({
  name,
  dtype: storedType(dtype),
  shape: source.shape,
  async *bytes() {
    const { backend } = source
    const item = itemSize(source.dtype)
    const step = pieceBytes / item
    for (let at = 0; at < source.size; at += step) {
      const n = Math.min(step, source.size - at)
      const piece = new Uint8Array(n * itemSize(dtype))
      if (dtype === source.dtype) await backend.read(source.buf, piece, at * item)
      else {
        const view = backend.view(source.buf, at * item, n * item)
        const rounded = backend.alloc(piece.length)
        try {
          backend.cast(rounded, view, n, dtype as FloatDType, source.dtype as FloatDType)
          await backend.read(rounded, piece)
        } finally {
          backend.free(view)
          backend.free(rounded)
        }
      }
      yield piece
    }
  },
})

/** An f32 tensor with a dimension of 0. */
export const withoutElements = (name: string, shape: readonly number[]): TensorToWrite => ({
  name,
  dtype: storedType('f32'),
  shape,
  async *bytes() {
    // There are none.
  },
})

const typeOrder = Object.keys(itemBytes)
// By code points, as Rust compares strings.
const byName = (a: string, b: string) => Buffer.compare(Buffer.from(a), Buffer.from(b))

/**
 * Writes a safetensors file with the layout of Hugging Face's own writer: wider types first, then by name, the header
 * padded by blanks to 8 bytes. The old file stays until the new one is whole.
 */
export async function writeSafetensors(
  path: string,
  tensors: readonly TensorToWrite[],
  metadata: Readonly<Record<string, string>> = { format: 'pt' },
): Promise<void> {
  const order = [...tensors].sort(
    (a, b) => typeOrder.indexOf(b.dtype) - typeOrder.indexOf(a.dtype) || byName(a.name, b.name),
  )
  const members: string[] = []
  if (Object.keys(metadata).length > 0) members.push(`"__metadata__":${JSON.stringify(metadata)}`)
  const seen = new Set(['__metadata__'])
  let end = 0
  for (const { name, dtype, shape } of order) {
    if (seen.has(name))
      throw corrupt(path, `tensor ${name} would be written twice`, 'Give every tensor its own name.')
    seen.add(name)
    const start = end
    end += sizeOf(shape) * itemBytes[dtype]
    members.push(`${JSON.stringify(name)}:${JSON.stringify({ dtype, shape, data_offsets: [start, end] })}`)
  }
  const json = Buffer.from(`{${members.join(',')}}`)
  const header = Buffer.alloc(8 + Math.ceil(json.length / 8) * 8, ' ')
  header.writeBigUInt64LE(BigInt(header.length - 8))
  json.copy(header, 8)
  if (header.length - 8 > mostHeader) {
    throw unsupported(
      path,
      `${order.length} tensors need a header of more than ${mostHeader} bytes`,
      'Shard it.',
    )
  }
  await writeFileAtomic(path, async (file) => {
    await writeAll(file, header)
    for (const tensor of order) {
      const expected = sizeOf(tensor.shape) * itemBytes[tensor.dtype]
      let written = 0
      for await (const piece of tensor.bytes()) {
        await writeAll(file, piece)
        written += piece.length
      }
      if (written !== expected) {
        throw corrupt(path, `tensor ${tensor.name}: expected ${expected} bytes to write, found ${written}`)
      }
    }
  })
}
