import type { BlockFormat } from './format.js'

const word = new DataView(new ArrayBuffer(4))

/** d · q: f32 d, 256 bytes q as i8, 16 sums that products use and values do not. */
export const q8_k: BlockFormat = {
  type: 15,
  size: 256,
  bytes: 292,
  decode(bytes, at, values, to) {
    for (let i = 0; i < 4; i++) word.setUint8(i, bytes[at + i]!)
    const d = word.getFloat32(0, true)
    for (let i = 0; i < 256; i++) values[to + i] = d * ((bytes[at + 4 + i]! << 24) >> 24)
  },
}
