let halves: Float32Array | undefined

/** Value of every IEEE 754 half by its bits. */
export function halfValues(): Float32Array {
  if (halves !== undefined) return halves
  halves = new Float32Array(65536)
  for (let bits = 0; bits < 65536; bits++) {
    const sign = bits & 0x8000 ? -1 : 1
    const exponent = (bits >>> 10) & 31
    const fraction = bits & 1023
    if (exponent === 0) halves[bits] = sign * fraction * 2 ** -24
    else if (exponent === 31) halves[bits] = fraction ? NaN : sign * Infinity
    else halves[bits] = sign * (1 + fraction / 1024) * 2 ** (exponent - 15)
  }
  return halves
}

/** The half at byte `at`. */
export const halfAt = (bytes: Uint8Array, at: number): number =>
  (halves ?? halfValues())[bytes[at]! | (bytes[at + 1]! << 8)]!

const rounding = new DataView(new ArrayBuffer(4))

/** Bits of the half nearest to an f32, ties to even; infinite beyond the largest. */
export function halfBits(value: number): number {
  rounding.setFloat32(0, value)
  const bits = rounding.getUint32(0)
  const sign = (bits >>> 16) & 0x8000
  const exponent = (bits >>> 23) & 255
  const fraction = bits & 0x7fffff
  if (exponent === 255) return sign | 0x7c00 | (fraction === 0 ? 0 : 0x200 | (fraction >>> 13))
  const half = exponent - 112
  if (half >= 31) return sign | 0x7c00
  // Below the smallest normal half the leading 1 is written out, and further bits are lost.
  const kept = half > 0 ? (half << 23) | fraction : fraction | 0x800000
  const lost = half > 0 ? 13 : 14 - half
  if (lost > 24) return sign
  const cut = kept >>> lost
  const rest = kept & ((1 << lost) - 1)
  const middle = 1 << (lost - 1)
  return sign | (cut + (rest > middle || (rest === middle && (cut & 1) === 1) ? 1 : 0))
}

/** Writes the half nearest to a value at byte `at`, and gives its value. */
export function putHalf(bytes: Uint8Array, at: number, value: number): number {
  const bits = halfBits(value)
  bytes[at] = bits & 255
  bytes[at + 1] = bits >>> 8
  return (halves ?? halfValues())[bits]!
}
