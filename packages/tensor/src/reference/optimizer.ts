import type { Accumulate, AdamW, Buf } from '../backend.js'
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
  memory.store(y, Float64Array.of(Math.min(1, maxNorm / (norm + 1e-6))), 'f32', 'clipFactor', 'y')
}

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
  const factor = gradScale === null ? 1 : memory.floats(gradScale, 1, 'f32', 'adamw', 'gradScale')[0]!
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
