import { noGrad, ops, scope, tensor, type Tensor } from '@ift/tensor'
import type { InitialFactors } from './start-from-weight.js'
import { orthonormalize, singularValues } from './svd.js'

/** Columns drawn besides the r wanted, so that the r-th converges as fast as the first. */
const oversampling = 8
const leastIterations = 4
const mostIterations = 64
/** Sum of the squared sines of the angles between two r-dimensional spaces below which they are the same one. */
const sameSpace = 1e-12

/**
 * PiSSA's start (Meng et al. 2024, arXiv:2404.02948): A = √S Vᵀ and B = U √S of the r strongest components of w [out, in], by randomised subspace iteration (Halko, Martinsson & Tropp 2011,
 * arXiv:0909.4061, algorithm 4.4) until the space no longer turns, products on the device, the rest on the host in f64. `start` is a Gaussian
 * [in, r + 8] test matrix, row-major.
 */
export async function principalFactors(w: Tensor, r: number, start: Float32Array): Promise<InitialFactors> {
  const [out, input] = w.shape as [number, number]
  const k = Math.min(r + oversampling, out, input)
  const product = async (left: Float32Array, rows: number, transpose: boolean): Promise<Float64Array> => {
    const result = noGrad(() =>
      scope(() => ops.matmul(w, tensor(w.backend, left, [rows, k], 'f32'), { transA: transpose })),
    )
    try {
      return Float64Array.from(await result.read())
    } finally {
      result.release()
    }
  }
  let right = orthonormalize(Float64Array.from(start.subarray(0, input * k)), input, k)
  let left: Float64Array = new Float64Array(0)
  let values: Float64Array = new Float64Array(0)
  let vectors: Float64Array = new Float64Array(0)
  let leading: Float64Array = new Float64Array(0)
  for (let i = 0; i < mostIterations; i++) {
    left = orthonormalize(await product(Float32Array.from(right), input, false), out, k)
    right = await product(Float32Array.from(left), out, true)
    // w ≈ left · rightᵀ with orthonormal left, so the components of right are those of w.
    ;({ values, vectors } = singularValues(right, input, k))
    const before = leading
    leading = strongest(right, values, vectors, input, k, r)
    if (i >= leastIterations && r - overlap(before, leading, input, r) < sameSpace) break
    if (i < mostIterations - 1) right = orthonormalize(right, input, k)
  }
  const a = new Float32Array(r * input)
  const b = new Float32Array(out * r)
  for (let c = 0; c < r; c++) {
    const root = Math.sqrt(values[c]!)
    for (let i = 0; i < input; i++) {
      let sum = 0
      for (let j = 0; j < k; j++) sum += right[i * k + j]! * vectors[j * k + c]!
      a[c * input + i] = values[c]! > 0 ? (root * sum) / values[c]! : 0
    }
    for (let i = 0; i < out; i++) {
      let sum = 0
      for (let j = 0; j < k; j++) sum += left[i * k + j]! * vectors[j * k + c]!
      b[i * r + c] = root * sum
    }
  }
  return { a, b }
}

/** Columns of the test matrix that `principalFactors` reads. */
export const testColumns = (r: number, out: number, input: number): number =>
  Math.min(r + oversampling, out, input)

/** Orthonormal right components of the r largest singular values, [rows, r]. */
function strongest(
  right: Float64Array,
  values: Float64Array,
  vectors: Float64Array,
  rows: number,
  k: number,
  r: number,
): Float64Array {
  const out = new Float64Array(rows * r)
  for (let i = 0; i < rows; i++)
    for (let c = 0; c < r; c++) {
      let sum = 0
      for (let j = 0; j < k; j++) sum += right[i * k + j]! * vectors[j * k + c]!
      out[i * r + c] = sum / values[c]!
    }
  return out
}

/** ‖xᵀ y‖² of two orthonormal [rows, r]: r when they span the same space. */
function overlap(x: Float64Array, y: Float64Array, rows: number, r: number): number {
  let total = 0
  for (let p = 0; p < r; p++)
    for (let q = 0; q < r; q++) {
      let dot = 0
      for (let i = 0; i < rows; i++) dot += x[i * r + p]! * y[i * r + q]!
      total += dot * dot
    }
  return total
}
