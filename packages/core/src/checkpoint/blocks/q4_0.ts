import type { BlockFormat } from './format.js'
import { halfAt, putHalf } from './halves.js'
import { inverseOf, largestOf, roundedUp } from './plain-scale.js'

/** d · (q - 8): f16 d, 16 bytes q, of which byte i holds elements i (low half) and i + 16. */
export const q4_0: BlockFormat = {
  type: 2,
  size: 32,
  bytes: 18,
  decode(bytes, at, values, to) {
    const d = halfAt(bytes, at)
    for (let i = 0; i < 16; i++) {
      const byte = bytes[at + 2 + i]!
      values[to + i] = d * ((byte & 15) - 8)
      values[to + i + 16] = d * ((byte >>> 4) - 8)
    }
  },
  encode(values, from, bytes, at) {
    const d = Math.fround(largestOf(values, from) / -8)
    const inverse = inverseOf(d)
    putHalf(bytes, at, d)
    const q = (i: number) => roundedUp(Math.fround(values[from + i]! * inverse), 8.5, 15)
    for (let i = 0; i < 16; i++) bytes[at + 2 + i] = q(i) | (q(i + 16) << 4)
  },
}
