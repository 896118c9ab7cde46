import {
  empty,
  fromFile,
  isBlockFormat,
  itemSize,
  tensor,
  type Backend,
  type BlockFormat,
  type FloatDType,
  type Tensor,
} from '@ift/tensor'
import { corrupt, unsupported } from '../files/errors.js'
import {
  blockSize,
  decodeFloats,
  deviceType,
  isFloat,
  isPlain,
  itemBytes,
  storedBytes,
  type StoredDType,
} from './numbers.js'
import { readBytes } from '../files/read-bytes.js'

/** Where a tensor lies in a file, and how. Every reader of a format gives these; nothing is read before it is asked for. */
export interface StoredTensor {
  readonly file: string
  readonly dtype: StoredDType
  readonly shape: readonly number[]
  /** First byte in the file. */
  readonly offset: number
  /** Bytes from there that hold the tensor. */
  readonly bytes: number
  /** Elements between neighbours of each dimension, when they do not lie row after row. */
  readonly strides?: readonly number[]
  /** It is made of the rows of others. `dtype` is theirs, or F32 where they differ; file, offset and bytes are those of the first. */
  readonly rows?: StoredRows
  /** What was added to every value before it was stored: 1 in the norms of Gemma's GGUF files. */
  readonly added?: number
}

/** Rows of tensors that lie one after the other, each row of the first dimension: row i is row `order[i]` of them all, or row i. */
export interface StoredRows {
  readonly of: readonly StoredTensor[]
  readonly order: Int32Array | null
}

/** The tensor and those that it is made of, if any. */
export const storedParts = (t: StoredTensor): readonly StoredTensor[] => t.rows?.of ?? [t]

/** A matrix with rows and columns exchanged; nothing is read or moved. Other tensors are given back as they are. */
export function transposed(t: StoredTensor): StoredTensor {
  const [rows, cols] = t.shape
  if (t.shape.length !== 2 || rows === undefined || cols === undefined) return t
  return { ...t, shape: [cols, rows], strides: (t.strides ?? [cols, 1]).toReversed() }
}

export const sizeOf = (shape: readonly number[]): number => shape.reduce((product, d) => product * d, 1)

/** Whether `strides` are those of a row-major tensor. Dimensions of 1 may have any. */
export function isRowMajor(shape: readonly number[], strides: readonly number[]): boolean {
  let expected = 1
  for (let i = shape.length - 1; i >= 0; i--) {
    if (shape[i] !== 1 && strides[i] !== expected) return false
    expected *= shape[i]!
  }
  return true
}

/** Bytes that are read, converted and uploaded at a time. */
const pieceBytes = 32 * 1024 * 1024

/** Whether the values are not those of the file in its order. */
const isChanged = (t: StoredTensor) => t.rows !== undefined || t.added !== undefined

/** The elements of a tensor of plain numbers, row-major and little-endian, as they are in the file. */
export async function readStored(t: StoredTensor): Promise<Uint8Array> {
  if (!isPlain(t.dtype) || isChanged(t)) {
    throw unsupported(t.file, `a tensor of ${t.dtype} has no plain bytes`, 'Read its values.')
  }
  const bytes = await readBytes(t.file, t.offset, t.bytes)
  return t.strides === undefined ? bytes : gather(bytes, t.shape, t.strides, itemBytes[t.dtype])
}

/** The values as f32. */
export async function readValues(t: StoredTensor): Promise<Float32Array> {
  const values = new Float32Array(sizeOf(t.shape))
  for await (const { at, part } of parts(t)) values.set(part, at)
  return values
}

/**
 * The tensor on a device: mapped from the file where its type is the wanted one, else converted piece by piece, so that
 * neither the file nor a second copy of the tensor is ever held.
 */
export async function loadStored(t: StoredTensor, backend: Backend, dtype: FloatDType): Promise<Tensor> {
  const from = deviceType(t.dtype)
  const plain = from !== undefined && t.strides === undefined && !isChanged(t)
  if (!plain) return upload(t, backend, dtype)
  if (from === dtype) return fromFile(backend, t.file, t.offset, t.shape, dtype)
  const y = empty(backend, t.shape, dtype)
  try {
    const step = pieceBytes / itemSize(from)
    for (let at = 0; at < y.size; at += step) {
      const n = Math.min(step, y.size - at)
      const piece = fromFile(backend, t.file, t.offset + at * itemSize(from), [n], from)
      castInto(y, at, piece, from)
    }
    return await Promise.resolve(y)
  } catch (error) {
    y.release()
    throw error
  }
}

/** The format in which a device may hold a matrix as it lies in the file, of blocks; null where its values are other ones. */
export function blockFormatOf(t: StoredTensor): BlockFormat | null {
  const { dtype, shape, strides, added } = t
  if (shape.length !== 2 || strides !== undefined || added !== undefined || !isBlockFormat(dtype)) return null
  return storedParts(t).every((part) => part.dtype === dtype) ? dtype : null
}

/** The blocks of a matrix that `blockFormatOf` has a format for, u8: mapped from the file, or copied where rows have another order. */
export async function loadBlocks(t: StoredTensor, backend: Backend): Promise<Tensor> {
  const { dtype, shape, rows } = t
  const width = storedBytes(dtype, shape[1]!)
  if (rows === undefined) return fromFile(backend, t.file, t.offset, [shape[0]! * width], 'u8')
  const y = empty(backend, [shape[0]! * width], 'u8')
  const read = ({ file, offset }: StoredTensor, first: number, count: number) =>
    readBytes(file, offset + first * width, count * width)
  try {
    const pieces = rowsInOrder(t, rows, { width, step: pieceBytes / width, Array: Uint8Array, read })
    for await (const { row, part } of pieces) backend.write(y.buf, part, row * width)
    return y
  } catch (error) {
    y.release()
    throw error
  }
}

async function upload(t: StoredTensor, backend: Backend, dtype: FloatDType): Promise<Tensor> {
  const y = empty(backend, t.shape, dtype)
  try {
    for await (const { at, part } of parts(t)) {
      if (dtype === 'f32') backend.write(y.buf, part, at * 4)
      else castInto(y, at, tensor(backend, part, [part.length], 'f32'), 'f32')
    }
    return y
  } catch (error) {
    y.release()
    throw error
  }
}

/** Rounds `piece` into y from element `at` on, and releases it. */
function castInto(y: Tensor, at: number, piece: Tensor, from: FloatDType): void {
  const { backend } = y
  const dtype = y.dtype as FloatDType
  try {
    const view = backend.view(y.buf, at * itemSize(dtype), piece.size * itemSize(dtype))
    try {
      backend.cast(view, piece.buf, piece.size, dtype, from)
    } finally {
      backend.free(view)
    }
  } finally {
    piece.release()
  }
}

/** Values from element `at` on. */
interface Part {
  readonly at: number
  readonly part: Float32Array
}

/** The values in order, a few rows at a time. */
async function* parts(t: StoredTensor): AsyncIterable<Part> {
  for await (const piece of t.rows === undefined ? ownParts(t) : madeOfRows(t, t.rows)) {
    const { part } = piece
    if (t.added !== undefined) for (let i = 0; i < part.length; i++) part[i] = part[i]! - t.added
    yield piece
  }
}

async function* ownParts(t: StoredTensor): AsyncIterable<Part> {
  const { dtype, shape } = t
  const size = sizeOf(shape)
  if (size === 0) return
  if (t.strides !== undefined) {
    requireFloat(t)
    yield { at: 0, part: decodeFloats(await readStored(t), dtype) }
    return
  }
  const unit = blockSize(dtype)
  const step = Math.max(1, Math.floor(pieceBytes / storedBytes(dtype, unit))) * unit
  for (let at = 0; at < size; at += step) yield { at, part: await readSpan(t, at, Math.min(step, size - at)) }
}

/** Values `at` to `at + n` of a tensor that lies row after row; both are multiples of its blocks. */
async function readSpan(t: StoredTensor, at: number, n: number): Promise<Float32Array> {
  requireFloat(t)
  const { dtype } = t
  return decodeFloats(
    await readBytes(t.file, t.offset + storedBytes(dtype, at), storedBytes(dtype, n)),
    dtype,
  )
}

function requireFloat({ file, dtype }: StoredTensor): void {
  if (!isFloat(dtype))
    throw unsupported(file, `expected floating-point numbers, found ${dtype}`, 'Convert it to F32 or BF16.')
}

/** Rows between two that are wanted, up to which they are read at once. */
const mostSkipped = 4

async function* madeOfRows(t: StoredTensor, from: StoredRows): AsyncIterable<Part> {
  const cols = sizeOf(t.shape) / t.shape[0]!
  const read = (tensor: StoredTensor, first: number, count: number) =>
    readSpan(tensor, first * cols, count * cols)
  const pieces = rowsInOrder(t, from, {
    width: cols,
    step: pieceBytes / (4 * cols),
    Array: Float32Array,
    read,
  })
  for await (const { row, part } of pieces) yield { at: row * cols, part }
}

/** How rows of a tensor are read. */
interface RowReader<T extends Float32Array | Uint8Array> {
  /** Numbers of a row in what is read. */
  readonly width: number
  /** Rows of a piece. */
  readonly step: number
  readonly Array: new (length: number) => T
  /** Rows `first` up to `first + count`. */
  read(tensor: StoredTensor, first: number, count: number): Promise<T>
}

/** Pieces of a tensor that is made of rows of others, from its row `row` on. */
async function* rowsInOrder<T extends Float32Array | Uint8Array>(
  { file, shape }: StoredTensor,
  { of, order }: StoredRows,
  reader: RowReader<T>,
): AsyncIterable<{ readonly row: number; readonly part: T }> {
  const { width } = reader
  const rows = shape[0]!
  const counts = of.map((tensor) => tensor.shape[0]!)
  if (counts.reduce((sum, count) => sum + count, 0) !== rows || (order !== null && order.length !== rows))
    throw corrupt(file, `tensors of ${counts.join(' + ')} rows do not make one of ${rows}`)
  const step = Math.max(1, Math.floor(reader.step))
  for (let first = 0; first < rows; first += step) {
    const n = Math.min(step, rows - first)
    const part = new reader.Array(n * width)
    const wanted = Array.from({ length: n }, (_, i) => ({ to: i, row: order?.[first + i] ?? first + i }))
    wanted.sort((a, b) => a.row - b.row)
    let start = 0
    let next = 0
    for (const [index, tensor] of of.entries()) {
      const end = start + counts[index]!
      while (next < n && wanted[next]!.row < end) {
        let last = next
        while (
          last + 1 < n &&
          wanted[last + 1]!.row < end &&
          wanted[last + 1]!.row - wanted[last]!.row <= mostSkipped
        )
          last++
        const from = wanted[next]!.row
        const values = await reader.read(tensor, from - start, wanted[last]!.row - from + 1)
        for (; next <= last; next++) {
          const { to, row } = wanted[next]!
          part.set(values.subarray((row - from) * width, (row - from + 1) * width), to * width)
        }
      }
      start = end
    }
    yield { row: first, part }
  }
}

const words = { 1: Uint8Array, 2: Uint16Array, 4: Uint32Array, 8: BigUint64Array }

/** Elements of a strided tensor, of `item` bytes each, row after row. */
export function gather(
  bytes: Uint8Array,
  shape: readonly number[],
  strides: readonly number[],
  item: 1 | 2 | 4 | 8,
): Uint8Array {
  const Words = words[item]
  const aligned = bytes.byteOffset % item === 0 ? bytes : bytes.slice()
  // One element type stands for all four: elements are only moved.
  const source = new Words(
    aligned.buffer as ArrayBuffer,
    aligned.byteOffset,
    Math.floor(aligned.length / item),
  ) as Uint32Array
  const result = new Words(sizeOf(shape)) as Uint32Array
  const last = shape.length - 1
  const width = shape[last] ?? 1
  const stride = strides[last] ?? 1
  const index = new Array<number>(shape.length).fill(0)
  let row = 0
  for (let to = 0; to < result.length;) {
    for (let i = 0, from = row; i < width; i++, from += stride) result[to++] = source[from]!
    for (let d = last - 1; d >= 0; d--) {
      row += strides[d]!
      if (++index[d]! < shape[d]!) break
      row -= strides[d]! * shape[d]!
      index[d] = 0
    }
  }
  return new Uint8Array(result.buffer)
}
