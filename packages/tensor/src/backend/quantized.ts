import type { FloatDType } from '../dtype.js'
import type { BlockFormat, WeightFormat } from '../quantization.js'
import type { Accumulate, Buf } from './buffer.js'

/**
 * A weight w [rows, cols] (the layout of a linear layer, [out, in]) in few bits, in buffers of the sizes that
 * `quantizedSizes` gives. The arithmetic below is in f32, each operation rounded by itself: products and sums are not fused.
 * Every backend gives the same codes, scales and values.
 *
 * nf4, as bitsandbytes lays it out: the elements, row after row, fall into blocks of 64, the last one perhaps shorter.
 * Element 2i is the upper half of byte i of `codes`, element 2i + 1 the lower; a last half without an element is 0.
 * a[b] is the largest magnitude of block b; element x has the code of the level (`nf4Levels`) nearest to x / a[b], or to 0
 * where a[b] is 0. The a are held in 8 bits: groups[0] is their mean (added up in f64, then rounded), groups[1 + g] the
 * largest magnitude of a[b] - groups[0] in the g-th 256 blocks, and scales[b] the code of the level (`dynamicLevels`)
 * nearest to (a[b] - groups[0]) / groups[1 + g], or to 0 where that is 0. "Nearest" is counted in `midpointsOf`.
 * The value of a code is nf4Levels[code] · (dynamicLevels[scales[b]] · groups[1 + g] + groups[0]).
 *
 * int8: scales[r] is the largest magnitude of row r; codes are two's complement, x · (127 / scales[r]) rounded to nearest, ties
 * to even, or 0 where scales[r] is 0. The value of a code is code · scales[r] · f32(1 / 127), from left to right.
 *
 * Products of many rows with an int8 matrix are computed in int8 where `Backend.int8Products` says so. Rows of x become codes too, `int8Block`
 * values of k at a time: x · (127 / s) rounded to nearest, ties to even, s being the largest magnitude of the row in the block; codes of 0
 * where s is at most 1e-35. y = x wᵀ is the sum over blocks of s · f32(1 / 127) · (the sum of the products of codes, a whole number),
 * times scales[r] · f32(1 / 127); y = x w is the same sum for x · (scales[r] · f32(1 / 127)). An x that is not finite makes its row of y
 * NaN.
 *
 * Blocks of GGUF files (`blockSizes`) are laid out as ggml has them, and have its values. Only a device with `Backend.blocks` takes them.
 */
export interface QuantizedMatrix {
  format: WeightFormat
  rows: number
  cols: number
  /** u8: two codes a byte in nf4, one in int8; the blocks themselves, row after row, in the formats of GGUF. */
  codes: Buf
  /** nf4: u8, one a block. int8: f32, one a row. Blocks have theirs inside: null. */
  scales: Buf | null
  /** nf4: f32. Others: null. */
  groups: Buf | null
}

/** What a device does with the blocks of GGUF files as they lie; `dequantize` and `quantizedProduct` take matrices of them there. */
export interface BlockKernels {
  readonly formats: readonly BlockFormat[]
  /** y [count, table.cols] = the values of rows ids i32 [count] of the table, rounded to dtype. */
  gatherRows(y: Buf, table: QuantizedMatrix, ids: Buf, count: number, dtype: FloatDType): void
}

/** y [m, w.rows] = x [m, w.cols] · wᵀ + beta · y (+ bias [w.rows] on every row), 1 <= m <= `Backend.quantizedRows`, or any m >= 1 where `Backend.invariantRows` is on. Accumulation is in f32. */
export interface QuantizedProduct {
  m: number
  beta: Accumulate
  /** Of x and bias. */
  dtype: FloatDType
  /** Of y. */
  outDtype: FloatDType
}
