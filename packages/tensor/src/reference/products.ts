import type {
  Accumulate,
  Buf,
  Gemm,
  Gradient,
  LowRank,
  LowRankGradients,
  QuantizedMatrix,
} from '../backend.js'
import { itemSize, type FloatDType } from '../dtype.js'
import { IftError } from '../errors.js'
import { int8Product, int8Values } from './int8.js'
import type { Memory } from './memory.js'

/** One of the products that a sum is made of: alpha · op(a) op(b), of depth k. */
interface Term {
  a: Buf
  b: Buf | QuantizedMatrix
  k: number
  alpha: number
}

/** y [m, n] = alpha · op(a) op(b) + beta · y (+ bias). */
export function gemm(
  memory: Memory,
  y: Buf,
  a: Buf,
  b: Buf | QuantizedMatrix,
  bias: Buf | null,
  p: Gemm,
): void {
  sum(memory, 'gemm', y, [{ a, b, k: p.k, alpha: p.alpha }], bias, p)
}

/** y [m, n] = the sum of the terms, all stored alike, + beta · y (+ bias), rounded once. */
function sum(
  memory: Memory,
  kernel: string,
  y: Buf,
  terms: readonly Term[],
  bias: Buf | null,
  p: Omit<Gemm, 'k' | 'alpha'>,
): void {
  const { m, n, transA, transB, beta, dtype, outDtype } = p
  if (transA && terms.some(({ b }) => typeof b !== 'number'))
    throw new IftError('IFT_ARGUMENT', `${kernel}: transA expected false for an int8 matrix`)
  const read = terms.map(({ a, b, k, alpha }) => {
    const av = memory.floats(a, m * k, dtype, kernel, 'a')
    if (typeof b === 'number') return { av, bv: memory.floats(b, k * n, dtype, kernel, 'b'), k, alpha }
    return { av, bv: int8Values(memory, kernel, b, transB ? [n, k] : [k, n]), k, alpha }
  })
  const biasValues = bias === null ? null : memory.floats(bias, n, dtype, kernel, 'bias')
  memory.expect(y, m * n, outDtype, kernel, 'y')
  if (y === bias || terms.some(({ a, b }) => y === a || y === (typeof b === 'number' ? b : b.codes)))
    throw new IftError('IFT_ARGUMENT', `${kernel}: y overlaps an input`)
  const yv = beta === 1 ? memory.floats(y, m * n, outDtype, kernel, 'y') : new Float64Array(m * n)
  for (const { av, bv, k, alpha } of read) {
    if (!(bv instanceof Float64Array)) {
      const product = int8Product(av, bv, [m, n, k], !transB)
      for (let i = 0; i < yv.length; i++) yv[i]! += alpha * product[i]!
      continue
    }
    const stepA = transA ? m : 1
    const stepB = transB ? 1 : n
    for (let i = 0; i < m; i++) {
      for (let j = 0; j < n; j++) {
        let total = 0
        let ia = transA ? i : i * k
        let ib = transB ? j * k : j
        for (let t = 0; t < k; t++) {
          total += av[ia]! * bv[ib]!
          ia += stepA
          ib += stepB
        }
        yv[i * n + j]! += alpha * total
      }
    }
  }
  if (biasValues) for (let i = 0; i < m; i++) for (let j = 0; j < n; j++) yv[i * n + j]! += biasValues[j]!
  memory.store(y, yv, outDtype, kernel, 'y')
}

/** low [n, r] = z aᵀ; y [n, m] = x wᵀ + scale · low bᵀ + beta · y (+ bias). */
export function lowRank(
  memory: Memory,
  y: Buf,
  low: Buf,
  x: Buf,
  z: Buf,
  w: Buf | QuantizedMatrix,
  a: Buf,
  b: Buf,
  bias: Buf | null,
  p: LowRank & { beta: Accumulate; outDtype: FloatDType },
): void {
  const { n, k, m, r, scale, dtype } = p
  const layout = { transA: false, transB: true, dtype }
  const down = { a: z, b: a, k, alpha: 1 }
  sum(memory, 'lowRank', low, [down], null, { ...layout, m: n, n: r, beta: 0, outDtype: dtype })
  const terms = [
    { a: x, b: w, k, alpha: 1 },
    { a: low, b, k: r, alpha: scale },
  ]
  sum(memory, 'lowRank', y, terms, bias, { ...layout, m: n, n: m, beta: p.beta, outDtype: p.outDtype })
}

/** e [n, r] = scale · dy b; dx (+)= dy w (+ e a when joined), dz (+)= e a, da (+)= eᵀ z, db (+)= scale · dyᵀ low. */
export function lowRankBackward(
  memory: Memory,
  gradients: LowRankGradients,
  dy: Buf,
  z: Buf | null,
  low: Buf,
  w: Buf | QuantizedMatrix | null,
  a: Buf,
  b: Buf,
  p: LowRank,
): void {
  const { n, k, m, r, scale, dtype } = p
  const product = (to: Gradient, m: number, n: number, transA: boolean, ...terms: Term[]) => {
    const p = { m, n, transA, transB: false, beta: to.beta, dtype, outDtype: to.dtype }
    sum(memory, 'lowRankBackward', to.buf, terms, null, p)
  }
  const e = memory.alloc(n * r * itemSize(dtype))
  try {
    product({ buf: e, beta: 0, dtype }, n, r, false, { a: dy, b, k: m, alpha: scale })
    if (gradients.b) product(gradients.b, m, r, true, { a: dy, b: low, k: n, alpha: scale })
    if (gradients.a) product(gradients.a, r, k, true, { a: e, b: needed('z', z), k: n, alpha: 1 })
    const back = { a: e, b: a, k: r, alpha: 1 }
    if (gradients.z) product(gradients.z, n, k, false, back)
    if (gradients.x) {
      const whole = { a: dy, b: needed('w', w), k: m, alpha: 1 }
      product(gradients.x, n, k, false, whole, ...(gradients.joined ? [back] : []))
    }
  } finally {
    memory.free(e)
  }
}

function needed<B>(name: string, buf: B | null): B {
  if (buf !== null) return buf
  throw new IftError('IFT_BUFFER_INVALID', `lowRankBackward: ${name} is read for a gradient that is wanted`)
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
