const scratchF32 = new Float32Array(1)
const scratchU32 = new Uint32Array(scratchF32.buffer)

/** Bits of the bfloat16 nearest to `x`, ties to even; NaN stays a quiet NaN. */
export function toBf16Bits(x: number): number {
  scratchF32[0] = x
  const bits = scratchU32[0]!
  if ((bits & 0x7fffffff) > 0x7f800000) return ((bits >>> 16) | 0x40) & 0xffff
  return ((bits + 0x7fff + ((bits >>> 16) & 1)) >>> 16) & 0xffff
}

/** Value of bfloat16 bits. */
export function fromBf16Bits(bits: number): number {
  scratchU32[0] = bits << 16
  return scratchF32[0]!
}

/** Bits of the IEEE 754 half nearest to `x`, ties to even, with subnormals; beyond 65504 + 16 gives infinity. */
export function toF16Bits(x: number): number {
  scratchF32[0] = x
  const bits = scratchU32[0]!
  const sign = (bits >>> 16) & 0x8000
  const magnitude = bits & 0x7fffffff
  if (magnitude > 0x7f800000) return sign | 0x7e00
  if (magnitude >= 0x47800000) return sign | 0x7c00
  if (magnitude < 0x38800000) {
    // Subnormal: the value is a whole number of 2^-24 after rounding, which the double product holds exactly.
    const scaled = Math.abs(scratchF32[0]) * 16777216
    const floor = Math.floor(scaled)
    const rest = scaled - floor
    return sign | (rest > 0.5 || (rest === 0.5 && floor % 2 === 1) ? floor + 1 : floor)
  }
  const rounded = magnitude + 0xfff + ((magnitude >>> 13) & 1)
  return sign | ((rounded - 0x38000000) >>> 13)
}

/** Value of IEEE 754 half bits. */
export function fromF16Bits(bits: number): number {
  const sign = bits & 0x8000 ? -1 : 1
  const exponent = (bits >>> 10) & 31
  const fraction = bits & 1023
  if (exponent === 0) return sign * fraction * 2 ** -24
  if (exponent === 31) return fraction ? NaN : sign * Infinity
  return sign * (1 + fraction / 1024) * 2 ** (exponent - 15)
}
