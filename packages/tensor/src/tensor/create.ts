import type { Backend } from '../backend.js'
import { asFloat, itemSize, type DType, type FloatDType } from '../dtype.js'
import { IftError } from '../errors.js'
import { toBf16Bits, toF16Bits } from './float16.js'
import { Storage } from './storage.js'
import { empty, sizeOf, Tensor } from './tensor.js'

/** Host numbers as a tensor, rounded to `dtype` (f32 when omitted), to the nearest, ties to even. */
export function tensor(
  backend: Backend,
  data: ArrayLike<number>,
  shape: readonly number[],
  dtype: DType = 'f32',
): Tensor {
  const size = sizeOf(shape, 'tensor')
  if (data.length !== size) {
    throw new IftError(
      'IFT_SHAPE',
      `tensor: [${shape.join(', ')}] has ${size} elements, found ${data.length}`,
    )
  }
  const t = empty(backend, shape, dtype)
  try {
    write(t, data)
  } catch (error) {
    t.release()
    throw error
  }
  return t
}

/** Host numbers into a tensor, in the place of its elements, rounded to its dtype as `tensor` does. */
export function write(t: Tensor, data: ArrayLike<number>): void {
  if (data.length !== t.size)
    throw new IftError(
      'IFT_SHAPE',
      `write: [${t.shape.join(', ')}] has ${t.size} elements, found ${data.length}`,
    )
  t.backend.write(t.buf, encode(data, t.dtype))
}

function encode(data: ArrayLike<number>, dtype: DType): ArrayBufferView {
  switch (dtype) {
    case 'f32':
      return data instanceof Float32Array ? data : Float32Array.from(data)
    case 'i32':
      return data instanceof Int32Array ? data : Int32Array.from(data)
    case 'u8':
      return data instanceof Uint8Array ? data : Uint8Array.from(data)
    case 'bf16':
    case 'f16': {
      const bitsOf = dtype === 'bf16' ? toBf16Bits : toF16Bits
      const bits = new Uint16Array(data.length)
      for (let i = 0; i < bits.length; i++) bits[i] = bitsOf(data[i]!)
      return bits
    }
  }
}

/**
 * A read-only tensor over bytes of a file from byte `offset`: mapped where the device allows it, never held twice.
 * Operations never write into it; `Parameter.setTrainable` copies it.
 */
export function fromFile(
  backend: Backend,
  path: string,
  offset: number,
  shape: readonly number[],
  dtype: DType,
): Tensor {
  const size = sizeOf(shape, 'fromFile')
  const bytes = size * itemSize(dtype)
  return new Tensor(
    new Storage(backend, backend.mapFile(path, offset, bytes), bytes, true),
    shape,
    dtype,
    size,
  )
}

/** A tensor of zeros; they are written at its first use, unless that overwrites them. */
export function zeros(backend: Backend, shape: readonly number[], dtype: DType): Tensor {
  const t = empty(backend, shape, dtype)
  t.storage.zero = true
  return t
}

/** A tensor with every element `value`. */
export function full(backend: Backend, shape: readonly number[], value: number, dtype: DType): Tensor {
  const t = empty(backend, shape, dtype)
  backend.fill(t.buf, value, t.size, dtype)
  return t
}

/**
 * Standard normal or uniform [0, 1) numbers from Philox4x32-10 (Salmon et al. 2011): the same for the same `seed`
 * (integer below 2^53) and `stream` (u32) on every backend up to rounding.
 */
export function random(
  backend: Backend,
  shape: readonly number[],
  kind: 'normal' | 'uniform',
  key: { readonly seed: number; readonly stream?: number },
  dtype: FloatDType = 'f32',
): Tensor {
  const t = empty(backend, shape, dtype)
  backend.random(t.buf, t.size, kind, key.seed, key.stream ?? 0, asFloat(dtype, 'random'))
  return t
}
