import { empty, fromFile, itemSize, tensor, type Backend, type FloatDType, type Tensor } from '@ift/tensor'
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
  /** The rows fall into so many heads, with rows i and i + d/2 of each at 2i and 2i + 1, as llama.cpp stores q and k. */
  readonly pairedHeads?: number
}

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

/** The elements of a tensor of plain numbers, row-major and little-endian, as they are in the file. */
export async function readStored(t: StoredTensor): Promise<Uint8Array> {
  if (!isPlain(t.dtype) || t.pairedHeads !== undefined) {
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
  const plain = from !== undefined && t.strides === undefined && t.pairedHeads === undefined
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
  const { dtype, shape, pairedHeads } = t
  if (!isFloat(dtype)) {
    throw unsupported(t.file, `expected floating-point numbers, found ${dtype}`, 'Convert it to F32 or BF16.')
  }
  const size = sizeOf(shape)
  if (size === 0) return
  if (t.strides !== undefined) {
    yield { at: 0, part: decodeFloats(await readStored(t), dtype) }
    return
  }
  const rows = shape[0] ?? 1
  const cols = size / rows
  // Whole heads when rows must be put in order, whole blocks when they are quantised, else any number of elements.
  let unit = isPlain(dtype) ? 1 : blockSize
  if (pairedHeads !== undefined) {
    if (rows % (pairedHeads * 2) !== 0) {
      throw corrupt(t.file, `${rows} rows do not fall into ${pairedHeads} heads of paired rows`)
    }
    unit = (rows / pairedHeads) * cols
  }
  const step =
    Math.max(1, Math.floor(((pieceBytes / storedBytes(dtype, blockSize)) * blockSize) / unit)) * unit
  for (let at = 0; at < size; at += step) {
    const n = Math.min(step, size - at)
    const bytes = await readBytes(t.file, t.offset + storedBytes(dtype, at), storedBytes(dtype, n))
    const part = decodeFloats(bytes, dtype)
    yield { at, part: pairedHeads === undefined ? part : unpair(part, unit, cols) }
  }
}

/** Puts the rows of each head, of `unit` values, back from pairs (2i, 2i + 1) to halves (i, i + d/2). */
function unpair(part: Float32Array, unit: number, cols: number): Float32Array {
  const result = new Float32Array(part.length)
  const half = unit / cols / 2
  for (let head = 0; head < part.length; head += unit) {
    for (let i = 0; i < half; i++) {
      const pair = head + 2 * i * cols
      result.set(part.subarray(pair, pair + cols), head + i * cols)
      result.set(part.subarray(pair + cols, pair + 2 * cols), head + (half + i) * cols)
    }
  }
  return result
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
