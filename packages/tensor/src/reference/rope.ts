import type { Buf, Rope } from '../backend.js'
import { IftError } from '../errors.js'
import type { Memory } from './memory.js'

/** Rotates pairs of dimensions of x [rows, heads, headDim] by position · invFreq. */
export function rope(memory: Memory, y: Buf, x: Buf, positions: Buf, invFreq: Buf, p: Rope): void {
  const { rows, heads, headDim, dimOffset, dims, interleaved, inverse, scale, dtype } = p
  if (dims % 2 !== 0 || dimOffset < 0 || dims < 0 || dimOffset + dims > headDim) {
    throw new IftError('IFT_ARGUMENT', `rope: dimensions ${dimOffset} to ${dimOffset + dims} of ${headDim}`)
  }
  const n = rows * heads * headDim
  const half = dims / 2
  const values = memory.floats(x, n, dtype, 'rope', 'x')
  const at = memory.ints(positions, rows, 'rope', 'positions')
  const freq = memory.floats(invFreq, half, 'f32', 'rope', 'invFreq')
  memory.expect(y, n, dtype, 'rope', 'y')
  for (let r = 0; r < rows; r++) {
    for (let i = 0; i < half; i++) {
      const angle = at[r]! * freq[i]!
      const cos = Math.cos(angle) * scale
      const sin = Math.sin(angle) * (inverse ? -scale : scale)
      for (let h = 0; h < heads; h++) {
        const base = (r * heads + h) * headDim + dimOffset
        const first = base + (interleaved ? 2 * i : i)
        const second = base + (interleaved ? 2 * i + 1 : i + half)
        const a = values[first]!
        const b = values[second]!
        values[first] = a * cos - b * sin
        values[second] = a * sin + b * cos
      }
    }
  }
  memory.store(y, values, dtype, 'rope', 'y')
}
