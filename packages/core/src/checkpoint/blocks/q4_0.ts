import type { BlockFormat } from './format.js'
import { halfAt } from './halves.js'

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
}
