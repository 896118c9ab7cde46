import type { Accumulate, Buf } from '../backend.js'
import { asFloat, type DType, type FloatDType } from '../dtype.js'
import { IftError } from '../errors.js'
import type { Memory } from './memory.js'
import { philoxWords } from './philox.js'

export function fill(memory: Memory, y: Buf, value: number, n: number, dtype: DType): void {
  memory.expect(y, n, dtype, 'fill', 'y')
  if (dtype === 'i32') memory.storeInts(y, new Int32Array(n).fill(value), 'fill', 'y')
  else if (dtype === 'u8') memory.storeBytes(y, new Uint8Array(n).fill(value), 'fill', 'y')
  else memory.store(y, new Float64Array(n).fill(value), asFloat(dtype, 'fill'), 'fill', 'y')
}

export function axpby(
  memory: Memory,
  y: Buf,
  a: number,
  x: Buf,
  b: number,
  z: Buf,
  n: number,
  dtype: FloatDType,
): void {
  const xv = memory.floats(x, n, dtype, 'axpby', 'x')
  const zv = memory.floats(z, n, dtype, 'axpby', 'z')
  // A factor of 0 drops its input, NaN included.
  for (let i = 0; i < n; i++) xv[i] = (a === 0 ? 0 : a * xv[i]!) + (b === 0 ? 0 : b * zv[i]!)
  memory.store(y, xv, dtype, 'axpby', 'y')
}

export function mul(memory: Memory, y: Buf, a: Buf, b: Buf, n: number, dtype: FloatDType): void {
  const av = memory.floats(a, n, dtype, 'mul', 'a')
  const bv = memory.floats(b, n, dtype, 'mul', 'b')
  for (let i = 0; i < n; i++) av[i]! *= bv[i]!
  memory.store(y, av, dtype, 'mul', 'y')
}

export function scaleColumns(
  memory: Memory,
  y: Buf,
  x: Buf,
  s: Buf,
  rows: number,
  cols: number,
  dtype: FloatDType,
): void {
  const xv = memory.floats(x, rows * cols, dtype, 'scaleColumns', 'x')
  const sv = memory.floats(s, cols, 'f32', 'scaleColumns', 's')
  for (let i = 0; i < xv.length; i++) xv[i]! *= sv[i % cols]!
  memory.store(y, xv, dtype, 'scaleColumns', 'y')
}

export function scaleColumnsBackward(
  memory: Memory,
  ds: Buf,
  dy: Buf,
  x: Buf,
  rows: number,
  cols: number,
  dtype: FloatDType,
): void {
  const kernel = 'scaleColumnsBackward'
  const dyv = memory.floats(dy, rows * cols, dtype, kernel, 'dy')
  const xv = memory.floats(x, rows * cols, dtype, kernel, 'x')
  const sum = memory.floats(ds, cols, 'f32', kernel, 'ds')
  for (let i = 0; i < xv.length; i++) sum[i % cols]! += dyv[i]! * xv[i]!
  memory.store(ds, sum, 'f32', kernel, 'ds')
}

export function rowNorms(
  memory: Memory,
  y: Buf,
  x: Buf,
  rows: number,
  cols: number,
  dtype: FloatDType,
): void {
  const xv = memory.floats(x, rows * cols, dtype, 'rowNorms', 'x')
  const norms = new Float64Array(rows)
  for (let r = 0; r < rows; r++) {
    let square = 0
    for (let c = 0; c < cols; c++) square += xv[r * cols + c]! ** 2
    norms[r] = Math.sqrt(square)
  }
  memory.store(y, norms, 'f32', 'rowNorms', 'y')
}

export function cast(memory: Memory, y: Buf, x: Buf, n: number, to: FloatDType, from: FloatDType): void {
  memory.store(y, memory.floats(x, n, from, 'cast', 'x'), to, 'cast', 'y')
}

function checkKey(kernel: string, seed: number, stream: number): void {
  if (
    !Number.isSafeInteger(seed) ||
    seed < 0 ||
    !Number.isInteger(stream) ||
    stream < 0 ||
    stream > 0xffffffff
  ) {
    throw new IftError(
      'IFT_ARGUMENT',
      `${kernel}: seed expected an integer below 2^53 and stream below 2^32, found ${seed} and ${stream}`,
    )
  }
}

export function dropout(
  memory: Memory,
  y: Buf,
  x: Buf,
  n: number,
  p: number,
  seed: number,
  stream: number,
  dtype: FloatDType,
): void {
  if (!(p >= 0 && p < 1)) throw new IftError('IFT_ARGUMENT', `dropout: p expected in [0, 1), found ${p}`)
  checkKey('dropout', seed, stream)
  const xv = memory.floats(x, n, dtype, 'dropout', 'x')
  const words = philoxWords(n, seed, stream)
  const threshold = Math.floor(p * 4294967296)
  for (let i = 0; i < n; i++) xv[i] = words[i]! >= threshold ? xv[i]! / (1 - p) : 0
  memory.store(y, xv, dtype, 'dropout', 'y')
}

export function random(
  memory: Memory,
  y: Buf,
  n: number,
  kind: 'normal' | 'uniform',
  seed: number,
  stream: number,
  dtype: FloatDType,
): void {
  checkKey('random', seed, stream)
  const words = philoxWords(n, seed, stream)
  const values = new Float64Array(n)
  for (let i = 0; i < n; i++) {
    if (kind === 'uniform') values[i] = words[i]! / 4294967296
    else {
      const first = i & ~1
      const r = Math.sqrt(-2 * Math.log((words[first]! + 1) / 4294967296))
      const angle = (2 * Math.PI * words[first + 1]!) / 4294967296
      values[i] = r * (i === first ? Math.cos(angle) : Math.sin(angle))
    }
  }
  memory.store(y, values, dtype, 'random', 'y')
}

export function copy2d(
  memory: Memory,
  y: Buf,
  yOffset: number,
  yStride: number,
  x: Buf,
  xOffset: number,
  xStride: number,
  rows: number,
  cols: number,
  dtype: FloatDType,
  beta: Accumulate,
): void {
  if (yOffset < 0 || yStride < 0 || xOffset < 0 || xStride < 0) {
    throw new IftError('IFT_ARGUMENT', 'copy2d: offsets and strides are not negative')
  }
  if (rows === 0 || cols === 0) return
  const xv = memory.floats(x, xOffset + (rows - 1) * xStride + cols, dtype, 'copy2d', 'x')
  const yLength = yOffset + (rows - 1) * yStride + cols
  memory.expect(y, yLength, dtype, 'copy2d', 'y')
  const yv = memory.floats(y, yLength, dtype, 'copy2d', 'y')
  for (let r = 0; r < rows; r++) {
    for (let c = 0; c < cols; c++) {
      const from = xv[xOffset + r * xStride + c]!
      const to = yOffset + r * yStride + c
      yv[to] = beta === 1 ? yv[to]! + from : from
    }
  }
  memory.store(y, yv, dtype, 'copy2d', 'y')
}
