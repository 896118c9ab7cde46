import type { Sketch } from './shingles.js'

/** Values in one piece of memory: 16 MiB. */
const pieceValues = 1 << 22

/** Sketches one after another, none of which is moved: 4 bytes for each value. */
export class SketchStore {
  readonly #pieces: Uint32Array[] = []
  #used = 0
  /** Piece and place in it, length, and size of the whole set, of each sketch. */
  #index = new Uint32Array(4096)
  #count = 0

  add({ values, count }: Sketch): void {
    if (this.#pieces.length === 0 || this.#used + values.length > pieceValues) {
      this.#pieces.push(new Uint32Array(pieceValues))
      this.#used = 0
    }
    this.#pieces.at(-1)!.set(values, this.#used)
    if (4 * this.#count === this.#index.length) {
      const index = new Uint32Array(2 * this.#index.length)
      index.set(this.#index)
      this.#index = index
    }
    this.#index.set([this.#pieces.length - 1, this.#used, values.length, count], 4 * this.#count++)
    this.#used += values.length
  }

  at(entry: number): Sketch {
    const [piece, start, length, count] = this.#index.subarray(4 * entry, 4 * entry + 4)
    return { values: this.#pieces[piece!]!.subarray(start, start! + length!), count: count! }
  }
}
