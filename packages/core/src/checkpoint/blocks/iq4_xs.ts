import type { BlockFormat } from './format.js'
import { halfAt } from './halves.js'
import { levels } from './iq4_nl.js'

/**
 * d · (scale - 32) · level[q] for each 32 elements: f16 d, 2 bytes with the two high bits of each scale, 4 bytes with the four low ones, 128
 * bytes q, each 16 of which are laid out as in Q4_0.
 */
export const iq4_xs: BlockFormat = {
  type: 23,
  size: 256,
  bytes: 136,
  decode(bytes, at, values, to) {
    const d = halfAt(bytes, at)
    const high = bytes[at + 2]! | (bytes[at + 3]! << 8)
    for (let group = 0; group < 8; group++) {
      const low = (bytes[at + 4 + (group >>> 1)]! >>> ((group & 1) * 4)) & 15
      const scale = d * ((low | (((high >>> (2 * group)) & 3) << 4)) - 32)
      const from = at + 8 + group * 16
      const first = to + group * 32
      for (let i = 0; i < 16; i++) {
        const byte = bytes[from + i]!
        values[first + i] = scale * levels[byte & 15]!
        values[first + i + 16] = scale * levels[byte >>> 4]!
      }
    }
  },
}
