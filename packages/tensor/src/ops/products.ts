import type { Accumulate, Gemm } from '../backend.js'
import type { FloatDType } from '../dtype.js'

// Matrix products by how their operands are stored, as BLAS names them. Each is an object made in one piece: putting one
// together by spreading others costs several times what the call of the kernel does.

/** y [m, n] = alpha · a bᵀ + beta · y, a [m, k], b [n, k]. */
export const nt = (
  m: number,
  n: number,
  k: number,
  alpha: number,
  beta: Accumulate,
  dtype: FloatDType,
  outDtype: FloatDType,
): Gemm => ({ m, n, k, transA: false, transB: true, alpha, beta, dtype, outDtype })

/** y [m, n] = alpha · a b + beta · y, a [m, k], b [k, n]. */
export const nn = (
  m: number,
  n: number,
  k: number,
  alpha: number,
  beta: Accumulate,
  dtype: FloatDType,
  outDtype: FloatDType,
): Gemm => ({ m, n, k, transA: false, transB: false, alpha, beta, dtype, outDtype })

/** y [m, n] = alpha · aᵀ b + beta · y, a [k, m], b [k, n]. */
export const tn = (
  m: number,
  n: number,
  k: number,
  alpha: number,
  beta: Accumulate,
  dtype: FloatDType,
  outDtype: FloatDType,
): Gemm => ({ m, n, k, transA: true, transB: false, alpha, beta, dtype, outDtype })
