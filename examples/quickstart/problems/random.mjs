// @ts-check

/** @param {number} state @returns {number} the next state's 32-bit hash (splitmix32) */
const splitmix32 = (state) => {
  let z = state | 0
  z = Math.imul(z ^ (z >>> 16), 0x21f0aaad)
  z = Math.imul(z ^ (z >>> 15), 0x735a2d97)
  return (z ^ (z >>> 15)) >>> 0
}

/** xoshiro128** seeded through splitmix32: the same seed gives the same draws on every platform. */
export class Random {
  #a = 0
  #b = 0
  #c = 0
  #d = 0

  /** @param {number} seed any integer; its low 32 bits count */
  constructor(seed) {
    const at = (/** @type {number} */ i) => splitmix32((seed + Math.imul(i, 0x9e3779b9)) | 0)
    ;[this.#a, this.#b, this.#c, this.#d] = [at(1), at(2), at(3), at(4)]
  }

  /** @returns {number} uniform in [0, 2^32) */
  next() {
    const scrambled = Math.imul(this.#b, 5)
    const result = Math.imul((scrambled << 7) | (scrambled >>> 25), 9) >>> 0
    const shifted = this.#b << 9
    this.#c ^= this.#a
    this.#d ^= this.#b
    this.#b ^= this.#c
    this.#a ^= this.#d
    this.#c ^= shifted
    this.#d = (this.#d << 11) | (this.#d >>> 21)
    return result
  }

  /** @returns {number} uniform in [0, 1) */
  unit() {
    return this.next() / 0x1_0000_0000
  }

  /** @param {number} low @param {number} high @returns {number} an integer in [low, high], both included */
  int(low, high) {
    if (high < low) throw new RangeError(`empty range ${low}..${high}`)
    return low + Math.floor(this.unit() * (high - low + 1))
  }

  /** @param {number} probability */
  chance(probability) {
    return this.unit() < probability
  }

  /** @template T @param {readonly T[]} items @returns {T} */
  pick(items) {
    const item = items[this.int(0, items.length - 1)]
    return /** @type {T} */ (item)
  }

  /** @template T @param {readonly T[]} items @param {number} count @returns {T[]} distinct items in random order */
  sample(items, count) {
    if (count > items.length) throw new RangeError(`${count} of ${items.length} items`)
    const pool = [...items]
    for (let i = 0; i < count; i++) {
      const j = this.int(i, pool.length - 1)
      const swapped = /** @type {T} */ (pool[i])
      pool[i] = /** @type {T} */ (pool[j])
      pool[j] = swapped
    }
    return pool.slice(0, count)
  }

  /** @template T @param {readonly (readonly [number, T])[]} choices weights and what they stand for @returns {T} */
  weighted(choices) {
    let rest = this.unit() * choices.reduce((sum, [weight]) => sum + weight, 0)
    for (const [weight, item] of choices) {
      rest -= weight
      if (rest < 0) return item
    }
    const [, last] = /** @type {readonly [number, T]} */ (choices[choices.length - 1])
    return last
  }
}
