import type { Accumulate, Buf, Gemm } from '../backend.js'
import type { FloatDType } from '../dtype.js'
import { IftError } from '../errors.js'
import type { Memory } from './memory.js'

/** y [m, n] = alpha · op(a) op(b) (+ plus.alpha · op(plus.a) op(plus.b)) + beta · y (+ bias). */
export function gemm(memory: Memory, y: Buf, a: Buf, b: Buf, bias: Buf | null, p: Gemm): void {
  const { m, n, k, transA, transB, alpha, beta, dtype, outDtype, plus } = p
  const terms = [{ a, b, k, alpha, name: '' }, ...(plus ? [{ ...plus, name: 'plus.' }] : [])].map(
    ({ a, b, k, alpha, name }) => ({
      av: memory.floats(a, m * k, dtype, 'gemm', `${name}a`),
      bv: memory.floats(b, k * n, dtype, 'gemm', `${name}b`),
      k,
      alpha,
    }),
  )
  const biasValues = bias === null ? null : memory.floats(bias, n, dtype, 'gemm', 'bias')
  memory.expect(y, m * n, outDtype, 'gemm', 'y')
  if (y === a || y === b || y === bias) throw new IftError('IFT_ARGUMENT', 'gemm: y overlaps an input')
  const yv = beta === 1 ? memory.floats(y, m * n, outDtype, 'gemm', 'y') : new Float64Array(m * n)
  for (const { av, bv, k, alpha } of terms) {
    const stepA = transA ? m : 1
    const stepB = transB ? 1 : n
    for (let i = 0; i < m; i++) {
      for (let j = 0; j < n; j++) {
        let sum = 0
        let ia = transA ? i : i * k
        let ib = transB ? j * k : j
        for (let t = 0; t < k; t++) {
          sum += av[ia]! * bv[ib]!
          ia += stepA
          ib += stepB
        }
        yv[i * n + j]! += alpha * sum
      }
    }
  }
  if (biasValues) for (let i = 0; i < m; i++) for (let j = 0; j < n; j++) yv[i * n + j]! += biasValues[j]!
  memory.store(y, yv, outDtype, 'gemm', 'y')
}

/** y f32 [cols] (+)= sum over rows of x [rows, cols]. */
export function sumRows(
  memory: Memory,
  y: Buf,
  x: Buf,
  rows: number,
  cols: number,
  dtype: FloatDType,
  beta: Accumulate,
): void {
  const xv = memory.floats(x, rows * cols, dtype, 'sumRows', 'x')
  memory.expect(y, cols, 'f32', 'sumRows', 'y')
  const yv = beta === 1 ? memory.floats(y, cols, 'f32', 'sumRows', 'y') : new Float64Array(cols)
  for (let r = 0; r < rows; r++) for (let c = 0; c < cols; c++) yv[c]! += xv[r * cols + c]!
  memory.store(y, yv, 'f32', 'sumRows', 'y')
}
