import type { FloatDType } from '@ift/tensor'
import {
  blockFormats,
  decodeBlocks,
  encodeBlocks,
  formatOf,
  halfBits,
  halfValues,
  type BlockDType,
} from './blocks/index.js'

/** Element types of files, by their safetensors names, and the quantised ones of GGUF. */
export type StoredDType = keyof typeof itemBytes | BlockDType

/** Bytes of an element. In safetensors' order: its writer puts types further down first. */
export const itemBytes = {
  BOOL: 1,
  U8: 1,
  I8: 1,
  F8_E5M2: 1,
  F8_E4M3: 1,
  F8_E8M0: 1,
  I16: 2,
  U16: 2,
  F16: 2,
  BF16: 2,
  I32: 4,
  U32: 4,
  F32: 4,
  C64: 8,
  F64: 8,
  I64: 8,
  U64: 8,
} as const

export type PlainDType = keyof typeof itemBytes

export const isPlain = (dtype: string): dtype is PlainDType => Object.hasOwn(itemBytes, dtype)
export const isBlock = (dtype: string): dtype is BlockDType => Object.hasOwn(blockFormats, dtype)

/** Elements that are stored together: 1, or those of a block. Rows hold whole blocks. */
export const blockSize = (dtype: StoredDType): number => (isPlain(dtype) ? 1 : formatOf(dtype).size)

/** Bytes of `size` elements, which are whole blocks. */
export const storedBytes = (dtype: StoredDType, size: number): number =>
  isPlain(dtype) ? itemBytes[dtype] * size : (formatOf(dtype).bytes * size) / formatOf(dtype).size

/** Device types that hold the same values in the same bytes. */
const deviceTypes: Partial<Record<StoredDType, FloatDType>> = { F32: 'f32', F16: 'f16', BF16: 'bf16' }
export const deviceType = (dtype: StoredDType): FloatDType | undefined => deviceTypes[dtype]

const storedTypes = { f32: 'F32', f16: 'F16', bf16: 'BF16', i32: 'I32', u8: 'U8' } as const
/** Name in files of a device type. */
export const storedType = (dtype: keyof typeof storedTypes): PlainDType => storedTypes[dtype]

/** Whether the values are real numbers that weights can be made of. */
export const isFloat = (dtype: StoredDType): boolean =>
  dtype === 'F64' || dtype in deviceTypes || isBlock(dtype)

/** A view of little-endian bytes as words, copied when they are not aligned. */
function words<T>(
  bytes: Uint8Array,
  make: { new (buffer: ArrayBufferLike, offset: number, length: number): T; BYTES_PER_ELEMENT: number },
): T {
  const item = make.BYTES_PER_ELEMENT
  const aligned = bytes.byteOffset % item === 0 ? bytes : bytes.slice()
  return new make(aligned.buffer, aligned.byteOffset, bytes.length / item)
}

/** Values of float elements as f32. `dtype` is one that `isFloat` accepts. */
export function decodeFloats(bytes: Uint8Array, dtype: StoredDType): Float32Array {
  switch (dtype) {
    case 'F32':
      return words(bytes, Float32Array)
    case 'F64':
      return Float32Array.from(words(bytes, Float64Array))
    case 'BF16': {
      const bits = words(bytes, Uint16Array)
      const raised = new Uint32Array(bits.length)
      for (let i = 0; i < bits.length; i++) raised[i] = bits[i]! << 16
      return new Float32Array(raised.buffer)
    }
    case 'F16': {
      const table = halfValues()
      const bits = words(bytes, Uint16Array)
      const values = new Float32Array(bits.length)
      for (let i = 0; i < bits.length; i++) values[i] = table[bits[i]!]!
      return values
    }
    default:
      if (isBlock(dtype)) return decodeBlocks(bytes, dtype)
      throw new TypeError(`${dtype} holds no floats`)
  }
}

/** The types that `encodeFloats` writes. */
export type WrittenDType =
  'F32' | 'F16' | 'BF16' | Extract<BlockDType, 'Q4_0' | 'Q5_0' | 'Q5_1' | 'Q8_0' | 'Q4_K' | 'Q5_K' | 'Q6_K'>

/** Values as the bytes of a type, little-endian, each rounded to the nearest; of blocks as many as are whole. */
export function encodeFloats(values: Float32Array, dtype: WrittenDType): Uint8Array {
  switch (dtype) {
    case 'F32':
      return new Uint8Array(values.buffer, values.byteOffset, values.byteLength)
    case 'F16':
      return new Uint8Array(Uint16Array.from(values, halfBits).buffer)
    case 'BF16': {
      const bits = new Uint32Array(values.buffer, values.byteOffset, values.length)
      const upper = new Uint16Array(bits.length)
      for (let i = 0; i < bits.length; i++) {
        const word = bits[i]!
        // A NaN stays one; all else goes to the nearest, ties to even.
        upper[i] =
          (word & 0x7fffffff) > 0x7f800000 ? (word >>> 16) | 64 : (word + 0x7fff + ((word >>> 16) & 1)) >>> 16
      }
      return new Uint8Array(upper.buffer)
    }
    default:
      return encodeBlocks(values, dtype)
  }
}
