import type { BlockFormat } from './format.js'
import { halfAt } from './halves.js'

/**
 * d · (scale - 32) · q for each 16 elements: 32 bytes with the third bits, of which byte i holds those of elements i, i + 32, … i + 224, 64
 * bytes of low bits as in Q2_K, 12 bytes of scales of 6 bits, f16 d. A third bit of 0 stands for -4.
 */
export const q3_k: BlockFormat = {
  type: 11,
  size: 256,
  bytes: 110,
  decode(bytes, at, values, to) {
    const d = halfAt(bytes, at + 108)
    for (let group = 0; group < 16; group++) {
      const low = (bytes[at + 96 + (group & 7)]! >>> ((group >>> 3) * 4)) & 15
      const high = (bytes[at + 104 + (group & 3)]! >>> ((group >>> 2) * 2)) & 3
      const scale = d * ((low | (high << 4)) - 32)
      const shift = group & 6
      const from = at + 32 + (group >>> 3) * 32 + (group & 1) * 16
      const mask = at + (group & 1) * 16
      const bit = group >>> 1
      for (let i = 0; i < 16; i++) {
        const third = (bytes[mask + i]! >>> bit) & 1
        values[to + group * 16 + i] = scale * (((bytes[from + i]! >>> shift) & 3) - (third ? 0 : 4))
      }
    }
  },
}
