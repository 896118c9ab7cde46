import type { BlockFormat } from './format.js'
import { halfAt, putHalf } from './halves.js'
import { boundsOf, inverseOf, putFiveBits, roundedUp } from './plain-scale.js'

/** d · q + m: f16 d, f16 m, 4 bytes with the fifth bits of all elements in order, 16 bytes of low bits as in Q4_1. */
export const q5_1: BlockFormat = {
  type: 7,
  size: 32,
  bytes: 24,
  decode(bytes, at, values, to) {
    const d = halfAt(bytes, at)
    const m = halfAt(bytes, at + 2)
    for (let i = 0; i < 16; i++) {
      const byte = bytes[at + 8 + i]!
      const low = (bytes[at + 4 + (i >>> 3)]! >>> (i & 7)) & 1
      const high = (bytes[at + 6 + (i >>> 3)]! >>> (i & 7)) & 1
      values[to + i] = d * ((byte & 15) | (low << 4)) + m
      values[to + i + 16] = d * ((byte >>> 4) | (high << 4)) + m
    }
  },
  encode(values, from, bytes, at) {
    const [least, most] = boundsOf(values, from)
    const d = Math.fround(Math.fround(most - least) / 31)
    const inverse = inverseOf(d)
    putHalf(bytes, at, d)
    putHalf(bytes, at + 2, least)
    const q = (i: number) => Math.fround(Math.fround(values[from + i]! - least) * inverse)
    putFiveBits(bytes, at + 4, (i) => roundedUp(q(i), 0.5, 31))
  },
}
