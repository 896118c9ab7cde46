/** Uniform numbers in [0, 1) from a seed: PCG32 (O'Neill 2014), the same on every machine. */
export class Random {
  #state = 0n
  readonly #increment: bigint

  /** Streams of one seed are independent. */
  constructor(seed: number, stream = 0) {
    this.#increment = ((BigInt(stream) << 1n) | 1n) & 0xffffffffffffffffn
    this.#next()
    this.#state = (this.#state + BigInt(seed)) & 0xffffffffffffffffn
    this.#next()
  }

  #next(): number {
    const old = this.#state
    this.#state = (old * 6364136223846793005n + this.#increment) & 0xffffffffffffffffn
    const shifted = Number(((old >> 18n) ^ old) >> 27n) >>> 0
    const rotate = Number(old >> 59n)
    return ((shifted >>> rotate) | (shifted << (-rotate & 31))) >>> 0
  }

  /** A number with 32 random bits. */
  uniform(): number {
    return this.#next() / 2 ** 32
  }

  /** An index with probability proportional to its weight. */
  pick(weights: Float64Array): number {
    let total = 0
    for (const weight of weights) total += weight
    let rest = this.uniform() * total
    let last = 0
    for (let i = 0; i < weights.length; i++) {
      if (weights[i]! <= 0) continue
      last = i
      rest -= weights[i]!
      if (rest < 0) return i
    }
    return last
  }
}
