/** The value that is largest without its sign, the first of several, in the block of 32 from element `from` on. */
export function largestOf(values: Float32Array, from: number): number {
  let largest = values[from]!
  for (let i = from + 1; i < from + 32; i++)
    if (Math.abs(values[i]!) > Math.abs(largest)) largest = values[i]!
  return largest
}

/** The least and the largest value of a block of 32. */
export function boundsOf(values: Float32Array, from: number): readonly [least: number, most: number] {
  let [least, most] = [values[from]!, values[from]!]
  for (let i = from + 1; i < from + 32; i++) {
    least = Math.min(least, values[i]!)
    most = Math.max(most, values[i]!)
  }
  return [least, most]
}

export const inverseOf = (scale: number): number => (scale === 0 ? 0 : Math.fround(1 / scale))

/** value + shift without its fraction, within 0 … most: f32 all the way, as the reference rounds. */
export const roundedUp = (value: number, shift: number, most: number): number =>
  Math.min(Math.max(Math.trunc(Math.fround(value + shift)), 0), most)

/** Numbers below 32: 4 bytes with the fifth bits of all in order, 16 bytes of low bits, of which byte i holds i and i + 16. */
export function putFiveBits(bytes: Uint8Array, at: number, number: (i: number) => number): void {
  bytes.fill(0, at, at + 20)
  for (let i = 0; i < 16; i++) {
    const [first, second] = [number(i), number(i + 16)]
    bytes[at + (i >>> 3)]! |= (first >>> 4) << (i & 7)
    bytes[at + 2 + (i >>> 3)]! |= (second >>> 4) << (i & 7)
    bytes[at + 4 + i] = (first & 15) | ((second & 15) << 4)
  }
}
