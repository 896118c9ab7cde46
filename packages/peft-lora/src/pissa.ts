import { noGrad, ops, scope, tensor, type Tensor } from '@ift/tensor'
import { orthonormalize, singularValues } from './svd.js'

/** Columns drawn besides the r wanted, so that the r-th converges as fast as the first. */
const oversampling = 8
const iterations = 16

export interface PrincipalFactors {
  /** f32 [r, in]: √S Vᵀ. */
  readonly a: Float32Array
  /** f32 [out, r]: U √S. */
  readonly b: Float32Array
}

/**
 * The r strongest components of w [out, in] by randomised subspace iteration (Halko, Martinsson & Tropp 2011,
 * arXiv:0909.4061, algorithm 4.4), products on the device, orthonormalisation on the host in f64. `start` is a Gaussian
 * [in, r + 8] test matrix, row-major.
 */
export async function principalFactors(w: Tensor, r: number, start: Float32Array): Promise<PrincipalFactors> {
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
  for (let i = 0; i < iterations; i++) {
    left = orthonormalize(await product(Float32Array.from(right), input, false), out, k)
    right = await product(Float32Array.from(left), out, true)
    if (i < iterations - 1) right = orthonormalize(right, input, k)
  }
  // w ≈ left · rightᵀ with orthonormal left, so the components of right are those of w.
  const { values, vectors } = singularValues(right, input, k)
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
