/** Numbers of 32 bits one after another, without a copy of all at the end of each growth and without an object for each. */
export class GrowingInts {
  #values = new Int32Array(1024)
  #count = 0

  get count(): number {
    return this.#count
  }

  add(value: number): void {
    if (this.#count === this.#values.length) {
      const values = new Int32Array(2 * this.#count)
      values.set(this.#values)
      this.#values = values
    }
    this.#values[this.#count++] = value
  }

  /** Those that are there, in memory of their own. */
  toArray(): Int32Array {
    return this.#values.slice(0, this.#count)
  }
}
