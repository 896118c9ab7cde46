import type { BlockFormat } from './format.js'
import { halfAt, putHalf } from './halves.js'
import { inverseOf, largestOf, putFiveBits, roundedUp } from './plain-scale.js'

/** d · (q - 16): f16 d, 4 bytes with the fifth bits of all elements in order, 16 bytes of low bits as in Q4_0. */
export const q5_0: BlockFormat = {
  type: 6,
  size: 32,
  bytes: 22,
  decode(bytes, at, values, to) {
    const d = halfAt(bytes, at)
    for (let i = 0; i < 16; i++) {
      const byte = bytes[at + 6 + i]!
      const low = (bytes[at + 2 + (i >>> 3)]! >>> (i & 7)) & 1
      const high = (bytes[at + 4 + (i >>> 3)]! >>> (i & 7)) & 1
      values[to + i] = d * (((byte & 15) | (low << 4)) - 16)
      values[to + i + 16] = d * (((byte >>> 4) | (high << 4)) - 16)
    }
  },
  encode(values, from, bytes, at) {
    const d = Math.fround(largestOf(values, from) / -16)
    const inverse = inverseOf(d)
    putHalf(bytes, at, d)
    putFiveBits(bytes, at + 2, (i) => roundedUp(Math.fround(values[from + i]! * inverse), 16.5, 31))
  },
}
