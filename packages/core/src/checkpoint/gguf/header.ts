import { mostGgufHeaderBytes, mostGgufKeys, mostJsonValues, mostTensorsInFile } from '../../files/bounds.js'
import { corrupt, unsupported } from '../../files/errors.js'
import { fileSize, readBytes, refusePointer } from '../../files/read-bytes.js'
import { blockSize, storedBytes } from '../numbers.js'
import { sizeOf, type StoredTensor } from '../stored.js'
import { typeOf } from './types.js'

export interface GgufFile {
  readonly path: string
  readonly version: number
  /** Numbers are numbers, or bigint beyond 2^53; arrays are arrays. */
  readonly metadata: ReadonlyMap<string, unknown>
  /** Shapes are outermost first, as everywhere in ift. */
  readonly tensors: ReadonlyMap<string, StoredTensor>
}

/** Bytes read at first; token lists make headers of some megabytes. */
const firstRead = 1 << 24

/** The header goes on behind what was read. */
class NeedsMore extends Error {}

/**
 * Reads the header of a GGUF file, version 2 or 3, little-endian. Every length is checked against the file; one that
 * does not fit is `IFT_FILE_CORRUPT`.
 */
export async function openGguf(path: string): Promise<GgufFile> {
  const size = await fileSize(path)
  for (let length = Math.min(size, firstRead); ; length = Math.min(size, length * 4, mostGgufHeaderBytes)) {
    const bytes = await readBytes(path, 0, length)
    refusePointer(path, bytes)
    try {
      return new HeaderReader(path, bytes, size).read()
    } catch (error) {
      if (!(error instanceof NeedsMore)) throw error
      if (length === size) throw corrupt(path, `its header does not end within its ${size} bytes`)
      if (length >= mostGgufHeaderBytes)
        throw corrupt(path, `its header has more than ${mostGgufHeaderBytes} bytes`)
    }
  }
}

class HeaderReader {
  readonly #path: string
  readonly #bytes: Uint8Array
  readonly #view: DataView
  readonly #size: number
  #at = 0
  /** Elements of arrays so far. */
  #values = 0

  constructor(path: string, bytes: Uint8Array, size: number) {
    this.#path = path
    this.#bytes = bytes
    this.#view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength)
    this.#size = size
  }

  read(): GgufFile {
    const magic = this.#size < 24 ? '' : Buffer.from(this.#bytes.subarray(0, 4)).toString('latin1')
    if (magic !== 'GGUF') throw corrupt(this.#path, 'is no GGUF file: it does not start with GGUF')
    this.#at = 4
    const version = this.#u32()
    if (version === 0x02000000 || version === 0x03000000) {
      throw unsupported(this.#path, 'is a big-endian GGUF file', 'Convert it on a little-endian machine.')
    }
    if (version !== 2 && version !== 3) {
      throw unsupported(this.#path, `has GGUF version ${version}; known are 2 and 3`, 'Convert it again.')
    }
    const tensorCount = this.#count('tensors', 24, mostTensorsInFile)
    const pairCount = this.#count('metadata', 13, mostGgufKeys)
    const metadata = new Map<string, unknown>()
    for (let i = 0; i < pairCount; i++) {
      const key = this.#string()
      if (metadata.has(key)) throw corrupt(this.#path, `has the metadata ${key} twice`)
      metadata.set(key, this.#value(this.#u32(), 0))
    }
    const alignment = metadata.get('general.alignment') ?? 32
    if (typeof alignment !== 'number' || !(alignment >= 8) || alignment % 8 !== 0 || alignment > 1 << 20) {
      throw corrupt(this.#path, `general.alignment is ${JSON.stringify(alignment)}, expected a multiple of 8`)
    }
    const described: [string, Omit<StoredTensor, 'offset' | 'bytes'>, number][] = []
    for (let i = 0; i < tensorCount; i++) described.push(this.#tensor(alignment))
    const start = Math.ceil(this.#at / alignment) * alignment
    return { path: this.#path, version, metadata, tensors: this.#place(described, start) }
  }

  /** Name, type and shape of a tensor, and where it starts in the data. */
  #tensor(alignment: number): [string, Omit<StoredTensor, 'offset' | 'bytes'>, number] {
    const name = this.#string()
    const dims = this.#u32()
    if (dims < 1 || dims > 4) throw corrupt(this.#path, `tensor ${name} would have ${dims} dimensions`)
    const shape = Array.from({ length: dims }, () => this.#u64()).reverse()
    const type = this.#u32()
    const dtype = typeOf(type, this.#path, name)
    if (!shape.every((d) => d >= 1) || !Number.isSafeInteger(sizeOf(shape))) {
      throw corrupt(this.#path, `tensor ${name} would have the shape [${shape.join(', ')}]`)
    }
    if (shape[dims - 1]! % blockSize(dtype) !== 0) {
      throw corrupt(
        this.#path,
        `tensor ${name}: rows of ${shape[dims - 1]!} do not fall into blocks of ${blockSize(dtype)} of ${dtype}`,
      )
    }
    const offset = this.#u64()
    if (offset % alignment !== 0)
      throw corrupt(this.#path, `tensor ${name} starts at ${offset}, not at a multiple of ${alignment}`)
    return [name, { file: this.#path, dtype, shape }, offset]
  }

  #place(
    described: readonly [string, Omit<StoredTensor, 'offset' | 'bytes'>, number][],
    start: number,
  ): Map<string, StoredTensor> {
    const tensors = new Map<string, StoredTensor>()
    for (const [name, tensor, at] of described) {
      if (tensors.has(name)) throw corrupt(this.#path, `has tensor ${name} twice`)
      const bytes = storedBytes(tensor.dtype, sizeOf(tensor.shape))
      const offset = start + at
      if (!(offset + bytes <= this.#size)) {
        throw corrupt(
          this.#path,
          `tensor ${name} would end at byte ${offset + bytes}, the file has ${this.#size}`,
        )
      }
      tensors.set(name, { ...tensor, offset, bytes })
    }
    let end = 0
    for (const [name, { offset, bytes }] of [...tensors].sort(([, a], [, b]) => a.offset - b.offset)) {
      if (offset < end) throw corrupt(this.#path, `tensor ${name} overlaps another`)
      end = offset + bytes
    }
    return tensors
  }

  #value(type: number, depth: number): unknown {
    const view = this.#view
    switch (type) {
      case 0:
        return view.getUint8(this.#skip(1))
      case 1:
        return view.getInt8(this.#skip(1))
      case 2:
        return view.getUint16(this.#skip(2), true)
      case 3:
        return view.getInt16(this.#skip(2), true)
      case 4:
        return view.getUint32(this.#skip(4), true)
      case 5:
        return view.getInt32(this.#skip(4), true)
      case 6:
        return view.getFloat32(this.#skip(4), true)
      case 7:
        return view.getUint8(this.#skip(1)) !== 0
      case 8:
        return this.#string()
      case 9: {
        if (depth === 4) throw corrupt(this.#path, 'its metadata has arrays within arrays within arrays')
        const itemType = this.#u32()
        const length = this.#count('elements of an array', 1, mostJsonValues)
        this.#values += length
        if (this.#values > mostJsonValues)
          throw corrupt(this.#path, `its metadata hold more than ${mostJsonValues} values`)
        const values: unknown[] = []
        for (let i = 0; i < length; i++) values.push(this.#value(itemType, depth + 1))
        return values
      }
      case 10:
        return small(view.getBigUint64(this.#skip(8), true))
      case 11:
        return small(view.getBigInt64(this.#skip(8), true))
      case 12:
        return view.getFloat64(this.#skip(8), true)
      default:
        throw corrupt(this.#path, `its metadata has a value of unknown type ${type}`)
    }
  }

  #string(): string {
    const length = this.#count('bytes of a string', 1)
    const at = this.#skip(length)
    return Buffer.from(this.#bytes.buffer, this.#bytes.byteOffset + at, length).toString('utf8')
  }

  /** A number of things that take at least `each` bytes: more than the file has room for is an error at once. */
  #count(what: string, each: number, most = this.#size): number {
    const count = this.#u64()
    if (!(count * each <= this.#size))
      throw corrupt(this.#path, `would have ${count} ${what}, in ${this.#size} bytes`)
    if (count > most) throw corrupt(this.#path, `would have ${count} ${what}, more than ${most}`)
    return count
  }

  #u32(): number {
    return this.#view.getUint32(this.#skip(4), true)
  }

  #u64(): number {
    const at = this.#skip(8)
    return this.#view.getUint32(at, true) + this.#view.getUint32(at + 4, true) * 2 ** 32
  }

  #skip(bytes: number): number {
    const at = this.#at
    if (at + bytes > this.#bytes.length) throw new NeedsMore()
    this.#at += bytes
    return at
  }
}

const small = (value: bigint): number | bigint =>
  Number.isSafeInteger(Number(value)) ? Number(value) : value
