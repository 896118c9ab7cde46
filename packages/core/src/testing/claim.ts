import { IftError } from '@ift/tensor'

/** A fault that a conformance kit found. */
export function claim(condition: boolean, message: string): asserts condition {
  if (!condition) throw new IftError('IFT_CONFORMANCE', message)
}

/** Fails unless every value is within `tolerance` · (1 + |expected|) of the expected one. */
export function claimClose(
  what: string,
  found: ArrayLike<number>,
  expected: ArrayLike<number>,
  tolerance: number,
): void {
  claim(
    found.length === expected.length,
    `${what}: expected ${expected.length} values, found ${found.length}.`,
  )
  for (let i = 0; i < expected.length; i++) {
    const difference = Math.abs(found[i]! - expected[i]!)
    claim(
      difference <= tolerance * (1 + Math.abs(expected[i]!)),
      `${what}, element ${i}: expected ${expected[i]!}, found ${found[i]!}.`,
    )
  }
}

/** Fails unless the values are the same bits. */
export function claimSame(what: string, found: ArrayLike<number>, expected: ArrayLike<number>): void {
  claim(
    found.length === expected.length,
    `${what}: expected ${expected.length} values, found ${found.length}.`,
  )
  for (let i = 0; i < expected.length; i++) {
    claim(
      Object.is(found[i], expected[i]),
      `${what}, element ${i}: expected exactly ${expected[i]!}, found ${found[i]!}.`,
    )
  }
}
