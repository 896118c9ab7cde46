import type { Accumulate, Buf } from '../backend.js'
import type { FloatDType } from '../dtype.js'
import type { Memory } from './memory.js'

/** y = x · rstd · w; rstd f32 [rows]. */
export function rmsNorm(
  memory: Memory,
  y: Buf,
  rstd: Buf,
  x: Buf,
  w: Buf,
  rows: number,
  cols: number,
  eps: number,
  dtype: FloatDType,
): void {
  const xv = memory.floats(x, rows * cols, dtype, 'rmsNorm', 'x')
  const wv = memory.floats(w, cols, dtype, 'rmsNorm', 'w')
  memory.expect(y, rows * cols, dtype, 'rmsNorm', 'y')
  memory.expect(rstd, rows, 'f32', 'rmsNorm', 'rstd')
  const yv = new Float64Array(rows * cols)
  const rv = new Float64Array(rows)
  for (let r = 0; r < rows; r++) {
    let square = 0
    for (let c = 0; c < cols; c++) square += xv[r * cols + c]! ** 2
    const factor = 1 / Math.sqrt(square / cols + eps)
    rv[r] = factor
    for (let c = 0; c < cols; c++) yv[r * cols + c] = xv[r * cols + c]! * factor * wv[c]!
  }
  memory.store(y, yv, dtype, 'rmsNorm', 'y')
  memory.store(rstd, rv, 'f32', 'rmsNorm', 'rstd')
}

/** dx (+)=, dw +=. */
export function rmsNormBackward(
  memory: Memory,
  dx: Buf,
  dw: Buf | null,
  dy: Buf,
  x: Buf,
  w: Buf,
  rstd: Buf,
  rows: number,
  cols: number,
  dtype: FloatDType,
  beta: Accumulate,
): void {
  const kernel = 'rmsNormBackward'
  const n = rows * cols
  const dyv = memory.floats(dy, n, dtype, kernel, 'dy')
  const xv = memory.floats(x, n, dtype, kernel, 'x')
  const wv = memory.floats(w, cols, dtype, kernel, 'w')
  const rv = memory.floats(rstd, rows, 'f32', kernel, 'rstd')
  memory.expect(dx, n, dtype, kernel, 'dx')
  const dxv = beta === 1 ? memory.floats(dx, n, dtype, kernel, 'dx') : new Float64Array(n)
  const dwv = dw === null ? null : memory.floats(dw, cols, 'f32', kernel, 'dw')
  for (let r = 0; r < rows; r++) {
    const factor = rv[r]!
    let dot = 0
    for (let c = 0; c < cols; c++) {
      const i = r * cols + c
      const hat = xv[i]! * factor
      dot += dyv[i]! * wv[c]! * hat
      if (dwv !== null) dwv[c]! += dyv[i]! * hat
    }
    for (let c = 0; c < cols; c++) {
      const i = r * cols + c
      dxv[i]! += factor * (dyv[i]! * wv[c]! - (xv[i]! * factor * dot) / cols)
    }
  }
  memory.store(dx, dxv, dtype, kernel, 'dx')
  if (dw !== null && dwv !== null) memory.store(dw, dwv, 'f32', kernel, 'dw')
}

/** y = (x - mean) · rstd · w + b; mean and rstd f32 [rows]. */
export function layerNorm(
  memory: Memory,
  y: Buf,
  mean: Buf,
  rstd: Buf,
  x: Buf,
  w: Buf,
  b: Buf,
  rows: number,
  cols: number,
  eps: number,
  dtype: FloatDType,
): void {
  const xv = memory.floats(x, rows * cols, dtype, 'layerNorm', 'x')
  const wv = memory.floats(w, cols, dtype, 'layerNorm', 'w')
  const bv = memory.floats(b, cols, dtype, 'layerNorm', 'b')
  memory.expect(y, rows * cols, dtype, 'layerNorm', 'y')
  memory.expect(mean, rows, 'f32', 'layerNorm', 'mean')
  memory.expect(rstd, rows, 'f32', 'layerNorm', 'rstd')
  const yv = new Float64Array(rows * cols)
  const mv = new Float64Array(rows)
  const rv = new Float64Array(rows)
  for (let r = 0; r < rows; r++) {
    let sum = 0
    for (let c = 0; c < cols; c++) sum += xv[r * cols + c]!
    const average = sum / cols
    let square = 0
    for (let c = 0; c < cols; c++) square += (xv[r * cols + c]! - average) ** 2
    const factor = 1 / Math.sqrt(square / cols + eps)
    mv[r] = average
    rv[r] = factor
    for (let c = 0; c < cols; c++) yv[r * cols + c] = (xv[r * cols + c]! - average) * factor * wv[c]! + bv[c]!
  }
  memory.store(y, yv, dtype, 'layerNorm', 'y')
  memory.store(mean, mv, 'f32', 'layerNorm', 'mean')
  memory.store(rstd, rv, 'f32', 'layerNorm', 'rstd')
}

/** dx (+)=, dw +=, db +=. */
export function layerNormBackward(
  memory: Memory,
  dx: Buf,
  dw: Buf | null,
  db: Buf | null,
  dy: Buf,
  x: Buf,
  w: Buf,
  mean: Buf,
  rstd: Buf,
  rows: number,
  cols: number,
  dtype: FloatDType,
  beta: Accumulate,
): void {
  const kernel = 'layerNormBackward'
  const n = rows * cols
  const dyv = memory.floats(dy, n, dtype, kernel, 'dy')
  const xv = memory.floats(x, n, dtype, kernel, 'x')
  const wv = memory.floats(w, cols, dtype, kernel, 'w')
  const mv = memory.floats(mean, rows, 'f32', kernel, 'mean')
  const rv = memory.floats(rstd, rows, 'f32', kernel, 'rstd')
  memory.expect(dx, n, dtype, kernel, 'dx')
  const dxv = beta === 1 ? memory.floats(dx, n, dtype, kernel, 'dx') : new Float64Array(n)
  const dwv = dw === null ? null : memory.floats(dw, cols, 'f32', kernel, 'dw')
  const dbv = db === null ? null : memory.floats(db, cols, 'f32', kernel, 'db')
  for (let r = 0; r < rows; r++) {
    const factor = rv[r]!
    let dot = 0
    let sum = 0
    for (let c = 0; c < cols; c++) {
      const i = r * cols + c
      const hat = (xv[i]! - mv[r]!) * factor
      const g = dyv[i]! * wv[c]!
      dot += g * hat
      sum += g
      if (dwv !== null) dwv[c]! += dyv[i]! * hat
      if (dbv !== null) dbv[c]! += dyv[i]!
    }
    for (let c = 0; c < cols; c++) {
      const i = r * cols + c
      const hat = (xv[i]! - mv[r]!) * factor
      dxv[i]! += factor * (dyv[i]! * wv[c]! - (sum + hat * dot) / cols)
    }
  }
  memory.store(dx, dxv, dtype, kernel, 'dx')
  if (dw !== null && dwv !== null) memory.store(dw, dwv, 'f32', kernel, 'dw')
  if (db !== null && dbv !== null) memory.store(db, dbv, 'f32', kernel, 'db')
}
