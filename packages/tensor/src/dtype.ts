import { IftError } from './errors.js'

/** Element types. Weights and activations are f32, bf16 or f16; statistics and optimiser state f32; indices i32. */
export type DType = 'f32' | 'bf16' | 'f16' | 'i32' | 'u8'

/** Types that arithmetic kernels accept. */
export type FloatDType = 'f32' | 'bf16' | 'f16'

const bytesOf: Readonly<Record<DType, number>> = { f32: 4, bf16: 2, f16: 2, i32: 4, u8: 1 }

/** Bytes of one element. */
export const itemSize = (dtype: DType): number => bytesOf[dtype]

/** `dtype` as a float type, or an `IFT_DTYPE` error that names the op. */
export function asFloat(dtype: DType, op: string): FloatDType {
  if (dtype === 'f32' || dtype === 'bf16' || dtype === 'f16') return dtype
  throw new IftError('IFT_DTYPE', `${op}: expected f32, bf16 or f16, found ${dtype}`)
}
