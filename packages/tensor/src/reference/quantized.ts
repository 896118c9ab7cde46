import type { Buf, QuantizedMatrix, QuantizedProduct } from '../backend.js'
import type { FloatDType } from '../dtype.js'
import { IftError } from '../errors.js'
import {
  dynamicLevels,
  isBlockFormat,
  midpointsOf,
  nf4Block,
  nf4Group,
  nf4Levels,
  quantizedSizes,
  type QuantizedSizes,
} from '../quantization.js'
import type { Memory } from './memory.js'

const { fround } = Math
const nf4Midpoints = midpointsOf(nf4Levels)
const dynamicMidpoints = midpointsOf(dynamicLevels)
export const oneOver127 = fround(1 / 127)
/** Of x in a product: as many as any device takes. */
export const mostRows = 32

/** How many of the ascending `midpoints` lie below t. */
function nearest(midpoints: Float32Array, t: number): number {
  let low = 0
  let high = midpoints.length
  while (low < high) {
    const middle = (low + high) >> 1
    if (t > midpoints[middle]!) low = middle + 1
    else high = middle
  }
  return low
}

const share = (x: number, of: number): number => (of === 0 ? 0 : fround(x / of))

function largest(values: Float64Array, from: number, to: number): number {
  let most = 0
  for (let i = from; i < Math.min(to, values.length); i++) most = Math.max(most, Math.abs(values[i]!))
  return fround(most)
}

/** Rounds to the nearest whole number, ties to even. */
export function rounded(x: number): number {
  const down = Math.floor(x)
  const rest = x - down
  return rest > 0.5 || (rest === 0.5 && down % 2 !== 0) ? down + 1 : down
}

export function quantize(memory: Memory, w: QuantizedMatrix, x: Buf, dtype: FloatDType): void {
  const { format, rows, cols } = w
  const scaleBuf = scalesOf('quantize', w)
  const sizes = quantizedSizes(format, rows, cols)
  const xv = memory.floats(x, rows * cols, dtype, 'quantize', 'x').map(fround)
  memory.expect(w.codes, sizes.codes, 'u8', 'quantize', 'codes')
  memory.expect(scaleBuf, sizes.scales, format === 'nf4' ? 'u8' : 'f32', 'quantize', 'scales')
  const groups = groupsOf('quantize', w)
  if (groups === null) {
    const codes = new Uint8Array(sizes.codes)
    const scales = Float64Array.from({ length: rows }, (_, r) => largest(xv, r * cols, (r + 1) * cols))
    for (let i = 0; i < codes.length; i++) {
      const scale = scales[Math.floor(i / cols)]!
      codes[i] = scale === 0 ? 0 : rounded(fround(xv[i]! * fround(127 / scale)))
    }
    memory.storeBytes(w.codes, codes, 'quantize', 'codes')
    memory.store(scaleBuf, scales, 'f32', 'quantize', 'scales')
    return
  }
  memory.expect(groups, sizes.groups, 'f32', 'quantize', 'groups')
  const a = Float64Array.from({ length: sizes.scales }, (_, b) =>
    largest(xv, b * nf4Block, (b + 1) * nf4Block),
  )
  const codes = new Uint8Array(sizes.codes)
  for (let i = 0; i < xv.length; i++) {
    const code = nearest(nf4Midpoints, share(xv[i]!, a[Math.floor(i / nf4Block)]!))
    codes[i >> 1]! |= i % 2 === 0 ? code << 4 : code
  }
  const mean = a.length === 0 ? 0 : fround(a.reduce((sum, value) => sum + value, 0) / a.length)
  const rest = a.map((value) => fround(value - mean))
  const parts = new Float64Array(sizes.groups)
  parts[0] = mean
  for (let g = 1; g < parts.length; g++) parts[g] = largest(rest, (g - 1) * nf4Group, g * nf4Group)
  const scales = Uint8Array.from(rest, (value, b) =>
    nearest(dynamicMidpoints, share(value, parts[1 + Math.floor(b / nf4Group)]!)),
  )
  memory.storeBytes(w.codes, codes, 'quantize', 'codes')
  memory.storeBytes(scaleBuf, scales, 'quantize', 'scales')
  memory.store(groups, parts, 'f32', 'quantize', 'groups')
}

/** Of blocks, which only a device with `Backend.blocks` takes, there are none. */
function scalesOf(kernel: string, { format, scales }: QuantizedMatrix): Buf {
  if (isBlockFormat(format) || scales === null)
    throw new IftError('IFT_ARGUMENT', `${kernel}: ${format} is not multiplied by this device`)
  return scales
}

function groupsOf(kernel: string, { format, groups }: QuantizedMatrix): Buf | null {
  if ((format === 'nf4') === (groups === null)) {
    throw new IftError(
      'IFT_ARGUMENT',
      `${kernel}: groups expected ${format === 'nf4' ? 'a buffer' : 'null'} for ${format}`,
    )
  }
  return groups
}

/** The values, f32 exactly. */
function valuesOf(memory: Memory, kernel: string, w: QuantizedMatrix): Float64Array {
  const { format, rows, cols } = w
  const scaleBuf = scalesOf(kernel, w)
  const sizes: QuantizedSizes = quantizedSizes(format, rows, cols)
  const codes = memory.bytes(w.codes, sizes.codes, kernel, 'codes')
  const groups = groupsOf(kernel, w)
  const values = new Float64Array(rows * cols)
  if (groups === null) {
    const scales = memory.floats(scaleBuf, sizes.scales, 'f32', kernel, 'scales')
    for (let i = 0; i < values.length; i++) {
      const code = (codes[i]! << 24) >> 24
      values[i] = fround(fround(code * scales[Math.floor(i / cols)]!) * oneOver127)
    }
    return values
  }
  const scales = memory.bytes(scaleBuf, sizes.scales, kernel, 'scales')
  const parts = memory.floats(groups, sizes.groups, 'f32', kernel, 'groups')
  const a = Float64Array.from(scales, (code, b) =>
    fround(fround(dynamicLevels[code]! * parts[1 + Math.floor(b / nf4Group)]!) + parts[0]!),
  )
  for (let i = 0; i < values.length; i++) {
    const byte = codes[i >> 1]!
    const code = i % 2 === 0 ? byte >> 4 : byte & 15
    values[i] = fround(nf4Levels[code]! * a[Math.floor(i / nf4Block)]!)
  }
  return values
}

export function dequantize(memory: Memory, y: Buf, w: QuantizedMatrix, dtype: FloatDType): void {
  memory.expect(y, w.rows * w.cols, dtype, 'dequantize', 'y')
  memory.store(y, valuesOf(memory, 'dequantize', w), dtype, 'dequantize', 'y')
}

export function quantizedProduct(
  memory: Memory,
  y: Buf,
  x: Buf,
  w: QuantizedMatrix,
  bias: Buf | null,
  { m, beta, dtype, outDtype }: QuantizedProduct,
): void {
  const kernel = 'quantizedProduct'
  const { rows, cols } = w
  if (!Number.isInteger(m) || m < 1 || m > mostRows) {
    throw new IftError('IFT_ARGUMENT', `${kernel}: m expected 1 to ${mostRows}, found ${m}`)
  }
  const xv = memory.floats(x, m * cols, dtype, kernel, 'x')
  const wv = valuesOf(memory, kernel, w)
  const bv = bias === null ? null : memory.floats(bias, rows, dtype, kernel, 'bias')
  memory.expect(y, m * rows, outDtype, kernel, 'y')
  const yv = beta === 1 ? memory.floats(y, m * rows, outDtype, kernel, 'y') : new Float64Array(m * rows)
  for (let i = 0; i < m; i++) {
    for (let r = 0; r < rows; r++) {
      let sum = 0
      for (let c = 0; c < cols; c++) sum += xv[i * cols + c]! * wv[r * cols + c]!
      yv[i * rows + r]! += sum + (bv === null ? 0 : bv[r]!)
    }
  }
  memory.store(y, yv, outDtype, kernel, 'y')
}
