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
