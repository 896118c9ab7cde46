import type { BlockFormat } from './format.js'
import { halfAt } from './halves.js'

/**
 * d · scale · (q - 32) for each 16 elements: 128 bytes of low bits, 64 bytes of the two high ones, 16 scales as i8, f16 d. Of each 128
 * elements, 64 bytes hold the first half in their low bits and the second in their high ones.
 */
export const q6_k: BlockFormat = {
  type: 14,
  size: 256,
  bytes: 210,
  decode(bytes, at, values, to) {
    const d = halfAt(bytes, at + 208)
    for (let group = 0; group < 16; group++) {
      const scale = d * ((bytes[at + 192 + group]! << 24) >> 24)
      const half = group >>> 3
      const within = group & 7
      const low = at + half * 64 + (within & 3) * 16
      const shift = (within >>> 2) * 4
      const high = at + 128 + half * 32 + (within & 1) * 16
      const highShift = within & 6
      const first = to + group * 16
      for (let i = 0; i < 16; i++) {
        const q = ((bytes[low + i]! >>> shift) & 15) | (((bytes[high + i]! >>> highShift) & 3) << 4)
        values[first + i] = scale * (q - 32)
      }
    }
  },
}
