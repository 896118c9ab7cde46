import type { BlockFormat } from './format.js'
import { halfAt } from './halves.js'

/** d · q: f16 d, 32 bytes q as i8. */
export const q8_0: BlockFormat = {
  type: 8,
  size: 32,
  bytes: 34,
  decode(bytes, at, values, to) {
    const d = halfAt(bytes, at)
    for (let i = 0; i < 32; i++) values[to + i] = d * ((bytes[at + 2 + i]! << 24) >> 24)
  },
}
