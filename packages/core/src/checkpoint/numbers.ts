import type { FloatDType } from '@ift/tensor'

/** Element types of files, by their safetensors names; Q8_0, Q4_0 and Q4_1 are GGUF's blocks of 32. */
export type StoredDType = keyof typeof itemBytes | keyof typeof blockBytes

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

/** Bytes of a block of 32 elements. */
export const blockBytes = { Q8_0: 34, Q4_0: 18, Q4_1: 20 } as const
export const blockSize = 32

export type PlainDType = keyof typeof itemBytes
export type BlockDType = keyof typeof blockBytes

export const isPlain = (dtype: string): dtype is PlainDType => Object.hasOwn(itemBytes, dtype)
export const isBlock = (dtype: string): dtype is BlockDType => Object.hasOwn(blockBytes, dtype)

/** Bytes of `size` elements; `size` is a multiple of 32 for blocks. */
export const storedBytes = (dtype: StoredDType, size: number): number =>
  isPlain(dtype) ? itemBytes[dtype] * size : (blockBytes[dtype] * size) / blockSize

/** Device types that hold the same values in the same bytes. */
const deviceTypes: Partial<Record<StoredDType, FloatDType>> = { F32: 'f32', F16: 'f16', BF16: 'bf16' }
export const deviceType = (dtype: StoredDType): FloatDType | undefined => deviceTypes[dtype]

const storedTypes = { f32: 'F32', f16: 'F16', bf16: 'BF16', i32: 'I32', u8: 'U8' } as const
/** Name in files of a device type. */
export const storedType = (dtype: keyof typeof storedTypes): PlainDType => storedTypes[dtype]

/** Whether the values are real numbers that weights can be made of. */
export const isFloat = (dtype: StoredDType): boolean =>
  dtype === 'F64' || dtype in deviceTypes || isBlock(dtype)

let halves: Float32Array | undefined

/** Value of every IEEE 754 half by its bits. */
function halfValues(): Float32Array {
  if (halves !== undefined) return halves
  halves = new Float32Array(65536)
  for (let bits = 0; bits < 65536; bits++) {
    const sign = bits & 0x8000 ? -1 : 1
    const exponent = (bits >>> 10) & 31
    const fraction = bits & 1023
    if (exponent === 0) halves[bits] = sign * fraction * 2 ** -24
    else if (exponent === 31) halves[bits] = fraction ? NaN : sign * Infinity
    else halves[bits] = sign * (1 + fraction / 1024) * 2 ** (exponent - 15)
  }
  return halves
}

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
    case 'Q8_0':
    case 'Q4_0':
    case 'Q4_1':
      return decodeBlocks(bytes, dtype)
    default:
      throw new TypeError(`${dtype} holds no floats`)
  }
}

/**
 * Blocks of 32: an f16 scale d, for Q4_1 an f16 minimum m, then the numbers q. Q8_0 is d·q with q i8; Q4_0 d·(q - 8) and
 * Q4_1 d·q + m, where byte i holds elements i (low half) and i + 16.
 */
function decodeBlocks(bytes: Uint8Array, dtype: BlockDType): Float32Array {
  const table = halfValues()
  const step = blockBytes[dtype]
  const values = new Float32Array((bytes.length / step) * blockSize)
  const half = (at: number) => table[bytes[at]! | (bytes[at + 1]! << 8)]!
  for (let at = 0, to = 0; at < bytes.length; at += step, to += blockSize) {
    const d = half(at)
    if (dtype === 'Q8_0') {
      for (let i = 0; i < blockSize; i++) values[to + i] = d * ((bytes[at + 2 + i]! << 24) >> 24)
      continue
    }
    if (dtype === 'Q4_0') {
      for (let i = 0; i < 16; i++) {
        const byte = bytes[at + 2 + i]!
        values[to + i] = d * ((byte & 15) - 8)
        values[to + i + 16] = d * ((byte >>> 4) - 8)
      }
      continue
    }
    const m = half(at + 2)
    for (let i = 0; i < 16; i++) {
      const byte = bytes[at + 4 + i]!
      // The reference implementations round the product to f32 before they add.
      values[to + i] = Math.fround(d * (byte & 15)) + m
      values[to + i + 16] = Math.fround(d * (byte >>> 4)) + m
    }
  }
  return values
}
