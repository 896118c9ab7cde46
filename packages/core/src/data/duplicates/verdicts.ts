/** What becomes of an example: it stays, or it is left out for a reason. */
export const verdict = { kept: 0, exact: 1, near: 2, contaminated: 3 } as const
export type Verdict = (typeof verdict)[keyof typeof verdict]

/** A byte for each example of a set. */
export class VerdictList {
  #bytes = new Uint8Array(4096)
  #count = 0

  add(one: Verdict): void {
    if (this.#count === this.#bytes.length) {
      const bytes = new Uint8Array(2 * this.#count)
      bytes.set(this.#bytes)
      this.#bytes = bytes
    }
    this.#bytes[this.#count++] = one
  }

  values(): Uint8Array {
    return this.#bytes.slice(0, this.#count)
  }
}
