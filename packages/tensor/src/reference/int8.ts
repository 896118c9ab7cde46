import type { QuantizedMatrix } from '../backend.js'
import { IftError } from '../errors.js'
import { int8Block, quantizedSizes } from '../quantization.js'
import type { Memory } from './memory.js'
import { oneOver127, rounded } from './quantized.js'

const { fround } = Math

/** Blocks of which no magnitude is larger count as zeros. */
const least = 1e-35

/** An int8 matrix, read: codes row after row, and a factor for the codes of each row. */
export interface Int8Values {
  readonly codes: Int8Array
  readonly factors: Float64Array
}

/** The codes and factors of an int8 matrix [rows, cols]. */
export function int8Values(
  memory: Memory,
  kernel: string,
  w: QuantizedMatrix,
  [rows, cols]: readonly [number, number],
): Int8Values {
  if (w.format !== 'int8' || w.scales === null)
    throw new IftError(
      'IFT_ARGUMENT',
      `${kernel}: a product over the matrix itself expected int8, found ${w.format}`,
    )
  if (w.rows !== rows || w.cols !== cols)
    throw new IftError(
      'IFT_ARGUMENT',
      `${kernel}: an int8 matrix [${rows}, ${cols}] was expected, found [${w.rows}, ${w.cols}]`,
    )
  const sizes = quantizedSizes('int8', rows, cols)
  const codes = new Int8Array(memory.bytes(w.codes, sizes.codes, kernel, 'codes').buffer)
  const scales = memory.floats(w.scales, sizes.scales, 'f32', kernel, 'scales')
  return { codes, factors: scales.map((scale) => fround(scale * oneOver127)) }
}

/**
 * x [m, k] · wᵀ -> [m, w.rows], or x [m, k] · w -> [m, w.cols] when `back`, as `QuantizedMatrix` says how products of int8 are
 * computed.
 */
export function int8Product(
  x: Float64Array,
  { codes, factors }: Int8Values,
  [m, n, k]: readonly [number, number, number],
  back: boolean,
): Float64Array {
  const y = new Float64Array(m * n)
  const values = new Float64Array(int8Block)
  for (let i = 0; i < m; i++) {
    for (let from = 0; from < k; from += int8Block) {
      const length = Math.min(int8Block, k - from)
      for (let t = 0; t < length; t++) {
        const value = fround(x[i * k + from + t]!)
        values[t] = back ? fround(value * factors[from + t]!) : value
      }
      const scale = toCodes(values.subarray(0, length))
      for (let j = 0; j < n; j++) {
        let sum = 0
        for (let t = 0; t < length; t++)
          sum += values[t]! * codes[back ? (from + t) * n + j : j * k + from + t]!
        y[i * n + j]! += scale * sum
      }
    }
  }
  if (!back) for (let i = 0; i < y.length; i++) y[i]! *= factors[i % n]!
  return y
}

/** Makes the values of a block codes, and gives their scale: NaN where one of them is not finite. */
function toCodes(values: Float64Array): number {
  let most = 0
  for (const value of values) most = Number.isFinite(value) ? Math.max(most, Math.abs(value)) : NaN
  if (Number.isNaN(most) || most <= least) {
    values.fill(0)
    return Number.isNaN(most) ? NaN : 0
  }
  const factor = fround(127 / most)
  for (const [i, value] of values.entries()) values[i] = rounded(fround(value * factor))
  return fround(most * oneOver127)
}
