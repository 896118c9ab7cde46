import type { BlockFormat } from './format.js'
import { halfAt, putHalf } from './halves.js'
import { nearestWhole, signedScale } from './k-search.js'

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
  encode(values, from, bytes, at) {
    bytes.fill(0, at, at + 210)
    const scales = Float32Array.from({ length: 16 }, (_, group) => signedScale(values, from + 16 * group))
    const largest = scales.reduce((most, one) => (Math.abs(one) > Math.abs(most) ? one : most), 0)
    if (Math.abs(largest) < 1e-15) return
    const inverse = Math.fround(-128 / largest)
    const d = putHalf(bytes, at + 208, Math.fround(1 / inverse))
    for (let group = 0; group < 16; group++) {
      const whole = Math.min(127, nearestWhole(Math.fround(inverse * scales[group]!)))
      bytes[at + 192 + group] = whole
      const scale = Math.fround(d * whole)
      const half = group >>> 3
      const within = group & 7
      const low = at + half * 64 + (within & 3) * 16
      const shift = (within >>> 2) * 4
      const high = at + 128 + half * 32 + (within & 1) * 16
      const highShift = within & 6
      for (let i = 0; i < 16; i++) {
        const nearest = scale === 0 ? 0 : nearestWhole(Math.fround(values[from + 16 * group + i]! / scale))
        const q = Math.max(-32, Math.min(31, nearest)) + 32
        bytes[low + i]! |= (q & 15) << shift
        bytes[high + i]! |= (q >>> 4) << highShift
      }
    }
  },
}
