import type { DType, FloatDType } from '../dtype.js'
import { IftError } from '../errors.js'
import { describe, type Tensor } from '../tensor/tensor.js'

/** The dtype of a float tensor; `IFT_DTYPE` otherwise. */
export function floatOf(op: string, argument: string, t: Tensor): FloatDType {
  const dtype = t.dtype
  if (dtype === 'f32' || dtype === 'bf16' || dtype === 'f16') return dtype
  throw new IftError('IFT_DTYPE', `${op}: ${argument} expected f32, bf16 or f16, found ${describe(t)}`)
}

export function expectDType(op: string, argument: string, t: Tensor, dtype: DType): void {
  if (t.dtype !== dtype) {
    throw new IftError('IFT_DTYPE', `${op}: ${argument} expected ${dtype}, found ${describe(t)}`)
  }
}

export function expectRank(op: string, argument: string, t: Tensor, rank: number, shape: string): void {
  if (t.shape.length !== rank) {
    throw new IftError('IFT_SHAPE', `${op}: ${argument} expected ${shape}, found ${describe(t)}`)
  }
}

/** Dtype, shape and device of `t` as those of `like`. */
export function expectLike(op: string, argument: string, t: Tensor, like: Tensor): void {
  if (t.size !== like.size || !sameShape(t.shape, like.shape)) {
    throw new IftError('IFT_SHAPE', `${op}: ${argument} expected ${describe(like)}, found ${describe(t)}`)
  }
  if (t.dtype !== like.dtype) {
    throw new IftError('IFT_DTYPE', `${op}: ${argument} expected ${like.dtype}, found ${describe(t)}`)
  }
  expectDevice(op, argument, t, like)
}

/** A vector of `length` elements on the device of `like`. */
export function expectVector(op: string, argument: string, t: Tensor, length: number, like: Tensor): void {
  if (t.shape.length !== 1 || t.size !== length) {
    throw new IftError('IFT_SHAPE', `${op}: ${argument} expected [${length}], found ${describe(t)}`)
  }
  expectDevice(op, argument, t, like)
}

export function expectDevice(op: string, argument: string, t: Pick<Tensor, 'backend'>, like: Tensor): void {
  if (t.backend !== like.backend) {
    throw new IftError(
      'IFT_DEVICE_MIXED',
      `${op}: ${argument} is on ${t.backend.name}, the other inputs on ${like.backend.name}`,
    )
  }
}

function sameShape(a: readonly number[], b: readonly number[]): boolean {
  if (a === b) return true
  if (a.length !== b.length) return false
  for (let i = 0; i < a.length; i++) if (a[i] !== b[i]) return false
  return true
}

/** An `IFT_SHAPE` error of an operation. */
export const shapeError = (op: string, message: string): IftError =>
  new IftError('IFT_SHAPE', `${op}: ${message}`)
