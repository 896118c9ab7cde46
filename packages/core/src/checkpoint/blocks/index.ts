import { IftError } from '@ift/tensor'
import type { BlockFormat } from './format.js'
import { iq4_nl } from './iq4_nl.js'
import { iq4_xs } from './iq4_xs.js'
import { q2_k } from './q2_k.js'
import { q3_k } from './q3_k.js'
import { q4_0 } from './q4_0.js'
import { q4_1 } from './q4_1.js'
import { q4_k } from './q4_k.js'
import { q5_0 } from './q5_0.js'
import { q5_1 } from './q5_1.js'
import { q5_k } from './q5_k.js'
import { q6_k } from './q6_k.js'
import { q8_0 } from './q8_0.js'
import { q8_k } from './q8_k.js'

/** The quantised formats that are read, by ggml's names. */
export const blockFormats = {
  Q4_0: q4_0,
  Q4_1: q4_1,
  Q5_0: q5_0,
  Q5_1: q5_1,
  Q8_0: q8_0,
  Q2_K: q2_k,
  Q3_K: q3_k,
  Q4_K: q4_k,
  Q5_K: q5_k,
  Q6_K: q6_k,
  Q8_K: q8_k,
  IQ4_NL: iq4_nl,
  IQ4_XS: iq4_xs,
} satisfies Record<string, BlockFormat>

export type BlockDType = keyof typeof blockFormats
export const formatOf = (dtype: BlockDType): BlockFormat => blockFormats[dtype]

/** Values of whole blocks as f32. */
export function decodeBlocks(bytes: Uint8Array, dtype: BlockDType): Float32Array {
  const format = formatOf(dtype)
  const values = new Float32Array((bytes.length / format.bytes) * format.size)
  for (let at = 0, to = 0; to < values.length; at += format.bytes, to += format.size)
    format.decode(bytes, at, values, to)
  return values
}

/** Blocks of values, as many as are whole. IFT_EXPORT_UNSUPPORTED for a format that is only read. */
export function encodeBlocks(values: Float32Array, dtype: BlockDType): Uint8Array {
  const format = formatOf(dtype)
  if (format.encode === undefined)
    throw new IftError('IFT_EXPORT_UNSUPPORTED', `${dtype} is read, and not written.`)
  const bytes = new Uint8Array((values.length / format.size) * format.bytes)
  for (let from = 0, at = 0; at < bytes.length; from += format.size, at += format.bytes)
    format.encode(values, from, bytes, at)
  return bytes
}
export type { BlockFormat } from './format.js'
export { halfBits, halfValues } from './halves.js'
