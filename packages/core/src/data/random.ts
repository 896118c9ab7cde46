/**
 * Uniform numbers for choices about data (orders, splits, templates): the same key gives the same numbers on every
 * machine. xoshiro128** (Blackman and Vigna), seeded by SplitMix32 over the key.
 */
export class DataRandom {
  readonly #state = new Uint32Array(4)

  constructor(...key: readonly (number | string)[]) {
    let hash = 0x9e3779b9
    const mix = (value: number) => {
      hash = (hash ^ value) >>> 0
      hash = (hash + 0x9e3779b9) >>> 0
      let z = hash
      z = Math.imul(z ^ (z >>> 16), 0x85ebca6b)
      z = Math.imul(z ^ (z >>> 13), 0xc2b2ae35)
      hash = (z ^ (z >>> 16)) >>> 0
    }
    for (const part of key) {
      if (typeof part === 'number') {
        mix(part >>> 0)
        mix(Math.floor(part / 2 ** 32) >>> 0)
      } else {
        for (let i = 0; i < part.length; i++) mix(part.charCodeAt(i))
        mix(part.length)
      }
    }
    for (let i = 0; i < 4; i++) {
      mix(i)
      this.#state[i] = hash
    }
    // The one state that the generator cannot leave.
    if (this.#state.every((word) => word === 0)) this.#state[0] = 1
  }

  /** 32 uniform bits. */
  bits(): number {
    const s = this.#state
    const product = Math.imul(s[1]!, 5)
    const result = Math.imul((product << 7) | (product >>> 25), 9) >>> 0
    const shifted = s[1]! << 9
    s[2]! ^= s[0]!
    s[3]! ^= s[1]!
    s[1]! ^= s[2]!
    s[0]! ^= s[3]!
    s[2]! ^= shifted
    s[3] = (s[3]! << 11) | (s[3]! >>> 21)
    return result
  }

  /** Whole number in [0, bound). */
  below(bound: number): number {
    // 53 bits: the bias is below 2^-21 for every bound up to 2^32.
    const uniform = (this.bits() >>> 5) * 2 ** 26 + (this.bits() >>> 6)
    return Math.floor((uniform / 2 ** 53) * bound)
  }

  /** In place; returns its argument. */
  shuffle<T extends Int32Array | unknown[]>(values: T): T {
    const items = values as { [i: number]: unknown; length: number }
    for (let i = items.length - 1; i > 0; i--) {
      const j = this.below(i + 1)
      const swapped = items[i]
      items[i] = items[j]
      items[j] = swapped
    }
    return values
  }
}

/** 0, 1, …, count - 1 in a seeded order. */
export const permutation = (count: number, ...key: readonly (number | string)[]): Int32Array =>
  new DataRandom(...key).shuffle(Int32Array.from({ length: count }, (_, i) => i))
