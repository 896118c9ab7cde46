import type { BlockFormat } from './format.js'
import { halfAt } from './halves.js'

/**
 * d · scale · q - dmin · min for each 16 elements: 16 bytes with a scale (low half) and a min each, 64 bytes q, f16 d, f16 dmin. Byte i
 * of a half of q holds, two bits each, elements i, i + 32, i + 64 and i + 96.
 */
export const q2_k: BlockFormat = {
  type: 10,
  size: 256,
  bytes: 84,
  decode(bytes, at, values, to) {
    const d = halfAt(bytes, at + 80)
    const dmin = halfAt(bytes, at + 82)
    for (let group = 0; group < 16; group++) {
      const packed = bytes[at + group]!
      const scale = d * (packed & 15)
      const min = dmin * (packed >>> 4)
      const shift = group & 6
      const from = at + 16 + (group >>> 3) * 32 + (group & 1) * 16
      for (let i = 0; i < 16; i++)
        values[to + group * 16 + i] = scale * ((bytes[from + i]! >>> shift) & 3) - min
    }
  },
}
