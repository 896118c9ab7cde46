import type { BlockFormat } from './format.js'
import { halfAt, putHalf } from './halves.js'

/** d · q: f16 d, 32 bytes q as i8. */
export const q8_0: BlockFormat = {
  type: 8,
  size: 32,
  bytes: 34,
  decode(bytes, at, values, to) {
    const d = halfAt(bytes, at)
    for (let i = 0; i < 32; i++) values[to + i] = d * ((bytes[at + 2 + i]! << 24) >> 24)
  },
  encode(values, from, bytes, at) {
    let largest = 0
    for (let i = from; i < from + 32; i++) largest = Math.max(largest, Math.abs(values[i]!))
    const d = Math.fround(largest / 127)
    const inverse = d === 0 ? 0 : Math.fround(1 / d)
    putHalf(bytes, at, d)
    for (let i = 0; i < 32; i++) {
      const q = Math.fround(values[from + i]! * inverse)
      // Halves go away from zero.
      const size = Math.abs(q)
      const whole = Math.floor(size) + Math.floor(2 * (size - Math.floor(size)))
      bytes[at + 2 + i] = q < 0 ? -whole : whole
    }
  },
}
