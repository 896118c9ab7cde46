import type { BlockFormat } from './format.js'
import { halfAt } from './halves.js'
import { minOf, scaleOf } from './k-scales.js'
import { encodeGroups } from './k-search.js'

const fourBits = { most: 15, first: -1, steps: 20 }

/**
 * d · scale · q - dmin · min for each 32 elements: f16 d, f16 dmin, 12 bytes of scales and mins, 128 bytes q, of which each 32 hold one
 * group in their low halves and the next in their high ones.
 */
export const q4_k: BlockFormat = {
  type: 12,
  size: 256,
  bytes: 144,
  decode(bytes, at, values, to) {
    const d = halfAt(bytes, at)
    const dmin = halfAt(bytes, at + 2)
    for (let group = 0; group < 8; group++) {
      const scale = d * scaleOf(bytes, at + 4, group)
      const min = dmin * minOf(bytes, at + 4, group)
      const shift = (group & 1) * 4
      const from = at + 16 + (group >>> 1) * 32
      const first = to + group * 32
      for (let i = 0; i < 32; i++) values[first + i] = scale * ((bytes[from + i]! >>> shift) & 15) - min
    }
  },
  encode(values, from, bytes, at) {
    const q = encodeGroups(values, from, bytes, at, fourBits)
    for (let pair = 0; pair < 4; pair++)
      for (let i = 0; i < 32; i++)
        bytes[at + 16 + 32 * pair + i] = q[64 * pair + i]! | (q[64 * pair + 32 + i]! << 4)
  },
}
