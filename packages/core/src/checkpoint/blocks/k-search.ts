import { putHalf } from './halves.js'
import { minOf, putScaleAndMin, scaleOf } from './k-scales.js'

// The search for scales of llama.cpp's k-quants without importance weights (make_qkx2_quants and make_qx_quants of ggml-quants.c): of several
// scales near to what the range suggests, that with the least weighted square error wins.

const whole = new Float32Array(1)

/** The nearest whole number of an f32, ties to even. */
export function nearestWhole(value: number): number {
  // Adding 1.5 · 2^23 leaves no bits for a fraction.
  whole[0] = value + 12582912
  return whole[0] - 12582912
}

/** Numbers per element, where the search begins, and how many scales it tries, a tenth apart. */
interface Steps {
  readonly most: number
  readonly first: number
  readonly steps: number
}

const groupSize = 32
const weights = new Float32Array(groupSize)
const tried = new Uint8Array(groupSize)

/** Scale and what is subtracted (≥ 0) for a group of 32: x ≈ scale · q - min, q from 0 to `most`. */
function scaleAndMin(
  values: Float32Array,
  from: number,
  { most, first, steps }: Steps,
): readonly [scale: number, min: number] {
  let squares = 0
  for (let i = 0; i < groupSize; i++) squares += values[from + i]! ** 2
  const average = Math.sqrt(squares / groupSize)
  let [least, largest, sumW, sumX] = [values[from]!, values[from]!, 0, 0]
  for (let i = 0; i < groupSize; i++) {
    const x = values[from + i]!
    const w = average + Math.abs(x)
    weights[i] = w
    if (x < least) least = x
    if (x > largest) largest = x
    sumW += w
    sumX += w * x
  }
  if (least > 0) least = 0
  if (largest === least) return [0, -least]
  const range = largest - least
  const start = most / range
  let [scale, min, best] = [1 / start, least, 0]
  for (let i = 0; i < groupSize; i++) {
    const x = values[from + i]!
    const q = Math.max(0, Math.min(most, nearestWhole(start * (x - least))))
    best += weights[i]! * (scale * q + min - x) ** 2
  }
  for (let step = 0; step <= steps; step++) {
    const inverse = (first + 0.1 * step + most) / range
    let [sumQ, sumQ2, sumXQ] = [0, 0, 0]
    for (let i = 0; i < groupSize; i++) {
      const x = values[from + i]!
      const q = Math.max(0, Math.min(most, nearestWhole(inverse * (x - least))))
      const w = weights[i]!
      tried[i] = q
      sumQ += w * q
      sumQ2 += w * q * q
      sumXQ += w * q * x
    }
    const determinant = sumW * sumQ2 - sumQ * sumQ
    if (determinant <= 0) continue
    let newScale = (sumW * sumXQ - sumX * sumQ) / determinant
    let newMin = (sumQ2 * sumX - sumQ * sumXQ) / determinant
    if (newMin > 0) {
      newMin = 0
      newScale = sumXQ / sumQ2
    }
    let error = 0
    for (let i = 0; i < groupSize; i++)
      error += weights[i]! * (newScale * tried[i]! + newMin - values[from + i]!) ** 2
    if (error < best) [best, scale, min] = [error, newScale, newMin]
  }
  return [scale, -min]
}

/** Writes d, dmin, scales and mins of a block of Q4_K or Q5_K to its first 16 bytes, and gives the numbers of its 256 elements. */
export function encodeGroups(
  values: Float32Array,
  from: number,
  bytes: Uint8Array,
  at: number,
  search: Steps,
): Uint8Array {
  const found = Array.from({ length: 8 }, (_, group) => scaleAndMin(values, from + group * groupSize, search))
  const [largestScale, largestMin] = [0, 1].map((part) => Math.max(0, ...found.map((one) => one[part]!)))
  const inverse = (largest: number) => (largest > 0 ? 63 / largest : 0)
  bytes.fill(0, at, at + 16)
  const d = putHalf(bytes, at, Math.fround(largestScale! / 63))
  const dmin = putHalf(bytes, at + 2, Math.fround(largestMin! / 63))
  for (const [group, [scale, min]] of found.entries())
    putScaleAndMin(
      bytes,
      at + 4,
      group,
      Math.max(0, Math.min(63, nearestWhole(inverse(largestScale!) * scale))),
      Math.max(0, Math.min(63, nearestWhole(inverse(largestMin!) * min))),
    )
  const q = new Uint8Array(256)
  for (let group = 0; group < 8; group++) {
    const scale = Math.fround(d * scaleOf(bytes, at + 4, group))
    const min = Math.fround(dmin * minOf(bytes, at + 4, group))
    if (scale === 0) continue
    for (let i = group * 32; i < group * 32 + 32; i++)
      q[i] = Math.max(
        0,
        Math.min(search.most, nearestWhole(Math.fround(Math.fround(values[from + i]! + min) / scale))),
      )
  }
  return q
}

/** Scale of a group of 16 of Q6_K: x ≈ scale · q, q from -32 to 31; large values count more. */
export function signedScale(values: Float32Array, from: number): number {
  let largest = 0
  for (let i = from; i < from + 16; i++) if (Math.abs(values[i]!) > Math.abs(largest)) largest = values[i]!
  if (Math.abs(largest) < 1e-15) return 0
  let [scale, best] = [0, -1]
  const attempt = (step: number) => {
    const inverse = -(32 + 0.1 * step) / largest
    let [sumXQ, sumQ2] = [0, 0]
    for (let i = from; i < from + 16; i++) {
      const x = values[i]!
      const q = Math.max(-32, Math.min(31, nearestWhole(inverse * x)))
      sumXQ += x * x * x * q
      sumQ2 += x * x * q * q
    }
    if (sumQ2 > 0 && (best < 0 || sumXQ * sumXQ > best * sumQ2)) {
      scale = sumXQ / sumQ2
      best = scale * sumXQ
    }
  }
  attempt(0)
  for (let step = -9; step <= 9; step++) if (step !== 0) attempt(step)
  return scale
}
