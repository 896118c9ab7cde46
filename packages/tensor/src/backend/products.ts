import type { FloatDType } from '../dtype.js'
import type { Accumulate, Buf } from './buffer.js'

/**
 * y [m, n] = alpha · op(a) · op(b) + beta · y (+ bias [n] on every row), row-major.
 * a is [m, k] ([k, m] when transA); b is [k, n] ([n, k] when transB, the layout of a linear layer's weight).
 * Accumulation is in f32. `dtype` is that of a, b and bias; `outDtype` that of y.
 */
export interface Gemm {
  m: number
  n: number
  k: number
  transA: boolean
  transB: boolean
  alpha: number
  beta: Accumulate
  dtype: FloatDType
  outDtype: FloatDType
}

/**
 * A linear layer with a low-rank addition (LoRA, Hu et al. 2021, arXiv:2106.09685): x and z [n, k], w [m, k], a [r, k],
 * b [m, r]. z is what the addition reads: x, or x with dropout. `dtype` is that of all but y and the gradients.
 */
export interface LowRank {
  n: number
  k: number
  m: number
  r: number
  /** Factor of the addition. */
  scale: number
  dtype: FloatDType
}

/** Where a gradient goes: over what is there, or added to it. */
export interface Gradient {
  buf: Buf
  beta: Accumulate
  dtype: FloatDType
}

/** The gradients of a low-rank layer that are wanted: of x and z [n, k], a [r, k] and b [m, r]. */
export interface LowRankGradients {
  x: Gradient | null
  z: Gradient | null
  a: Gradient | null
  b: Gradient | null
  /** z is x: the gradient of x is that of both. */
  joined: boolean
}
