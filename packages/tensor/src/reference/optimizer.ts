import type { Accumulate, Adafactor, AdamW, Buf, Lion } from '../backend.js'
import type { FloatDType } from '../dtype.js'
import type { Memory } from './memory.js'

export function squaredNorm(
  memory: Memory,
  y: Buf,
  x: Buf,
  n: number,
  dtype: FloatDType,
  beta: Accumulate,
): void {
  const xv = memory.floats(x, n, dtype, 'squaredNorm', 'x')
  let sum = beta === 1 ? memory.floats(y, 1, 'f32', 'squaredNorm', 'y')[0]! : 0
  for (const v of xv) sum += v * v
  memory.store(y, Float64Array.of(sum), 'f32', 'squaredNorm', 'y')
}

export function clipFactor(memory: Memory, y: Buf, squared: Buf, maxNorm: number): void {
  const norm = Math.sqrt(memory.floats(squared, 1, 'f32', 'clipFactor', 'squaredNorm')[0]!)
  const factor = Number.isFinite(norm) ? Math.min(1, maxNorm / (norm + 1e-6)) : NaN
  memory.store(y, Float64Array.of(factor), 'f32', 'clipFactor', 'y')
}

/** What every gradient is multiplied by; NaN where the step is to change nothing. */
function scaleOf(memory: Memory, gradScale: Buf | null, kernel: string): number {
  return gradScale === null ? 1 : memory.floats(gradScale, 1, 'f32', kernel, 'gradScale')[0]!
}

const rootMeanSquare = (values: Float64Array): number =>
  Math.sqrt(values.reduce((sum, value) => sum + value * value, 0) / values.length)

/** One step of decoupled weight decay Adam with bias correction. */
export function adamw(
  memory: Memory,
  param: Buf,
  master: Buf | null,
  grad: Buf,
  m: Buf,
  v: Buf,
  gradScale: Buf | null,
  p: AdamW,
): void {
  const { n, lr, beta1, beta2, eps, weightDecay, step, dtype } = p
  memory.expect(param, n, dtype, 'adamw', 'param')
  const values = memory.floats(master ?? param, n, 'f32', 'adamw', master === null ? 'param' : 'master')
  const gv = memory.floats(grad, n, 'f32', 'adamw', 'grad')
  const mv = memory.floats(m, n, 'f32', 'adamw', 'm')
  const vv = memory.floats(v, n, 'f32', 'adamw', 'v')
  const factor = scaleOf(memory, gradScale, 'adamw')
  if (Number.isNaN(factor)) return
  const correct1 = 1 - beta1 ** step
  const correct2 = 1 - beta2 ** step
  for (let i = 0; i < n; i++) {
    const g = gv[i]! * factor
    mv[i] = beta1 * mv[i]! + (1 - beta1) * g
    vv[i] = beta2 * vv[i]! + (1 - beta2) * g * g
    const decayed = values[i]! * (1 - lr * weightDecay)
    values[i] = decayed - (lr * (mv[i]! / correct1)) / (Math.sqrt(vv[i]! / correct2) + eps)
  }
  memory.store(m, mv, 'f32', 'adamw', 'm')
  memory.store(v, vv, 'f32', 'adamw', 'v')
  if (master !== null) memory.store(master, values, 'f32', 'adamw', 'master')
  memory.store(param, values, dtype, 'adamw', 'param')
}

/** One step along the sign of a momentum, with decoupled weight decay. */
export function lion(
  memory: Memory,
  param: Buf,
  master: Buf | null,
  grad: Buf,
  m: Buf,
  gradScale: Buf | null,
  p: Lion,
): void {
  const { n, lr, beta1, beta2, weightDecay, dtype } = p
  memory.expect(param, n, dtype, 'lion', 'param')
  const values = memory.floats(master ?? param, n, 'f32', 'lion', master === null ? 'param' : 'master')
  const gv = memory.floats(grad, n, 'f32', 'lion', 'grad')
  const mv = memory.floats(m, n, 'f32', 'lion', 'm')
  const factor = scaleOf(memory, gradScale, 'lion')
  if (Number.isNaN(factor)) return
  for (let i = 0; i < n; i++) {
    const g = gv[i]! * factor
    const direction = Math.sign(beta1 * mv[i]! + (1 - beta1) * g)
    values[i] = values[i]! * (1 - lr * weightDecay) - lr * direction
    mv[i] = beta2 * mv[i]! + (1 - beta2) * g
  }
  memory.store(m, mv, 'f32', 'lion', 'm')
  if (master !== null) memory.store(master, values, 'f32', 'lion', 'master')
  memory.store(param, values, dtype, 'lion', 'param')
}

/** One step of Adafactor, with the second moment factored where there is a column. */
export function adafactor(
  memory: Memory,
  param: Buf,
  master: Buf | null,
  grad: Buf,
  v: Buf,
  column: Buf | null,
  m: Buf | null,
  gradScale: Buf | null,
  p: Adafactor,
): void {
  const { rows, cols, beta1, beta2, epsilon1, epsilon2, clipThreshold, weightDecay, dtype } = p
  const n = rows * cols
  const floats = (buf: Buf, count: number, name: string) =>
    memory.floats(buf, count, 'f32', 'adafactor', name)
  memory.expect(param, n, dtype, 'adafactor', 'param')
  const values = floats(master ?? param, n, master === null ? 'param' : 'master')
  const gv = floats(grad, n, 'grad')
  const vv = floats(v, column === null ? n : rows, 'v')
  const cv = column === null ? null : floats(column, cols, 'column')
  const mv = m === null ? null : floats(m, n, 'm')
  const factor = scaleOf(memory, gradScale, 'adafactor')
  if (Number.isNaN(factor)) return
  const g = gv.map((value) => value * factor)
  const squares = g.map((value) => value * value + epsilon1)
  const decayed = (moment: Float64Array, means: (at: number) => number) => {
    for (let i = 0; i < moment.length; i++) moment[i] = beta2 * moment[i]! + (1 - beta2) * means(i)
  }
  let second: (at: number) => number
  if (cv === null) {
    decayed(vv, (at) => squares[at]!)
    second = (at) => vv[at]!
  } else {
    const [rowSums, columnSums] = [new Float64Array(rows), new Float64Array(cols)]
    for (let i = 0; i < n; i++) {
      rowSums[Math.floor(i / cols)]! += squares[i]!
      columnSums[i % cols]! += squares[i]!
    }
    decayed(vv, (row) => rowSums[row]! / cols)
    decayed(cv, (col) => columnSums[col]! / rows)
    const mean = vv.reduce((sum, value) => sum + value, 0) / rows
    second = (at) => (vv[Math.floor(at / cols)]! / mean) * cv[at % cols]!
  }
  const update = g.map((value, at) => value / Math.sqrt(second(at)))
  const lr = p.lr * (epsilon2 === null ? 1 : Math.max(epsilon2, rootMeanSquare(values)))
  const rate = lr / Math.max(1, rootMeanSquare(update) / clipThreshold)
  for (let i = 0; i < n; i++) {
    let step = update[i]! * rate
    if (mv !== null) step = mv[i] = beta1 * mv[i]! + (1 - beta1) * step
    // The first moment has rates of earlier steps in it.
    if (lr !== 0) values[i] = values[i]! * (1 - lr * weightDecay) - step
  }
  memory.store(v, vv, 'f32', 'adafactor', 'v')
  if (column !== null) memory.store(column, cv!, 'f32', 'adafactor', 'column')
  if (m !== null) memory.store(m, mv!, 'f32', 'adafactor', 'm')
  if (master !== null) memory.store(master, values, 'f32', 'adafactor', 'master')
  memory.store(param, values, dtype, 'adafactor', 'param')
}
