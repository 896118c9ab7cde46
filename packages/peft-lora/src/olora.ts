import { noGrad, ops, scope, tensor, type Tensor } from '@ift/tensor'
import type { InitialFactors } from './start-from-weight.js'

/**
 * OLoRA's start (Büyükakyüz 2024, arXiv:2406.01775): W = Q R, B the first r columns of Q, A the first r rows of R. The first r columns
 * of W alone decide those of Q; A = Bᵀ W.
 */
export async function orthonormalFactors(w: Tensor, r: number): Promise<InitialFactors> {
  const [out, input] = w.shape as [number, number]
  const values = await w.read()
  const columns = new Float64Array(out * r)
  for (let i = 0; i < out; i++) for (let c = 0; c < r; c++) columns[i * r + c] = values[i * input + c]!
  const b = Float32Array.from(householderQ(columns, out, r))
  const product = noGrad(() =>
    scope(() => ops.matmul(tensor(w.backend, b, [out, r], 'f32'), w, { transA: true })),
  )
  try {
    return { a: await product.read(), b }
  } finally {
    product.release()
  }
}

/**
 * Q [rows, cols] of the QR decomposition of x [rows, cols], row-major, by Householder reflections (Golub & Van Loan, section 5.2).
 * Signs are those of LAPACK: a diagonal element of R has the sign against that of the element it replaces.
 */
export function householderQ(x: Float64Array, rows: number, cols: number): Float64Array {
  const a = Float64Array.from(x)
  /** For each column, the factor of its reflection I - factor · v vᵀ; v is 1 on the diagonal and stands below it in a. */
  const factors = new Float64Array(cols)
  for (let c = 0; c < cols; c++) {
    let square = 0
    for (let i = c + 1; i < rows; i++) square += a[i * cols + c]! ** 2
    const first = a[c * cols + c]!
    if (square === 0) continue
    const diagonal = -Math.sign(first || 1) * Math.sqrt(first * first + square)
    factors[c] = (diagonal - first) / diagonal
    for (let i = c + 1; i < rows; i++) a[i * cols + c]! /= first - diagonal
    a[c * cols + c] = diagonal
    for (let p = c + 1; p < cols; p++) reflect(a, c, p)
  }
  const q = new Float64Array(rows * cols)
  for (let c = 0; c < cols; c++) q[c * cols + c] = 1
  for (let c = cols - 1; c >= 0; c--) for (let p = c; p < cols; p++) reflect(q, c, p)
  return q

  /** Applies reflection c to column p of y. */
  function reflect(y: Float64Array, c: number, p: number): void {
    let dot = y[c * cols + p]!
    for (let i = c + 1; i < rows; i++) dot += a[i * cols + c]! * y[i * cols + p]!
    dot *= factors[c]!
    y[c * cols + p]! -= dot
    for (let i = c + 1; i < rows; i++) y[i * cols + p]! -= dot * a[i * cols + c]!
  }
}
