import type { BlockFormat } from './format.js'
import { halfAt } from './halves.js'
import { minOf, scaleOf } from './k-scales.js'
import { encodeGroups } from './k-search.js'

const fiveBits = { most: 31, first: -0.5, steps: 15 }

/** As Q4_K, with 32 bytes of fifth bits before q: bit g of byte i belongs to element i of group g. */
export const q5_k: BlockFormat = {
  type: 13,
  size: 256,
  bytes: 176,
  decode(bytes, at, values, to) {
    const d = halfAt(bytes, at)
    const dmin = halfAt(bytes, at + 2)
    const high = at + 16
    for (let group = 0; group < 8; group++) {
      const scale = d * scaleOf(bytes, at + 4, group)
      const min = dmin * minOf(bytes, at + 4, group)
      const shift = (group & 1) * 4
      const from = at + 48 + (group >>> 1) * 32
      const first = to + group * 32
      for (let i = 0; i < 32; i++) {
        const q = ((bytes[from + i]! >>> shift) & 15) | (((bytes[high + i]! >>> group) & 1) << 4)
        values[first + i] = scale * q - min
      }
    }
  },
  encode(values, from, bytes, at) {
    const q = encodeGroups(values, from, bytes, at, fiveBits)
    bytes.fill(0, at + 16, at + 48)
    for (let pair = 0; pair < 4; pair++)
      for (let i = 0; i < 32; i++) {
        const [low, high] = [q[64 * pair + i]!, q[64 * pair + 32 + i]!]
        bytes[at + 48 + 32 * pair + i] = (low & 15) | ((high & 15) << 4)
        bytes[at + 16 + i]! |= ((low >>> 4) << (2 * pair)) | ((high >>> 4) << (2 * pair + 1))
      }
  },
}
