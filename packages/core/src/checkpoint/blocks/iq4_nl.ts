import type { BlockFormat } from './format.js'
import { halfAt } from './halves.js'

/** What the 16 numbers of IQ4_NL and IQ4_XS stand for. */
export const levels = Int8Array.of(-127, -104, -83, -65, -49, -35, -22, -10, 1, 13, 25, 38, 53, 69, 89, 113)

/** d · level[q], laid out as Q4_0. */
export const iq4_nl: BlockFormat = {
  type: 20,
  size: 32,
  bytes: 18,
  decode(bytes, at, values, to) {
    const d = halfAt(bytes, at)
    for (let i = 0; i < 16; i++) {
      const byte = bytes[at + 2 + i]!
      values[to + i] = d * levels[byte & 15]!
      values[to + i + 16] = d * levels[byte >>> 4]!
    }
  },
}
