import type { BlockFormat } from './format.js'
import { halfAt } from './halves.js'

/** d · q + m: f16 d, f16 m, 16 bytes q, of which byte i holds elements i (low half) and i + 16. */
export const q4_1: BlockFormat = {
  type: 3,
  size: 32,
  bytes: 20,
  decode(bytes, at, values, to) {
    const d = halfAt(bytes, at)
    const m = halfAt(bytes, at + 2)
    for (let i = 0; i < 16; i++) {
      const byte = bytes[at + 4 + i]!
      values[to + i] = d * (byte & 15) + m
      values[to + i + 16] = d * (byte >>> 4) + m
    }
  },
}
