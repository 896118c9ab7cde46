import type { Backend, Buf } from '../backend.js'
import { Storage } from './storage.js'

/** A value that a node of the tape keeps for its backward: memory, or the means to fill it again. */
export interface Saved {
  refs: number
  readonly buf: Buf
  release(): void
}

/**
 * Values that are not kept for the backward but computed once more when it reads them, out of what stays in memory anyway:
 * the output of a normalisation, read by the gradients of the layers behind it, out of its input and the factors of its
 * rows. Whoever saves it shares the one computation; the memory goes with the last of them.
 */
export class Recomputed implements Saved {
  refs = 1
  #values: Storage | null = null
  readonly #inputs: readonly Saved[]

  /** `compute` writes the `bytes` from `inputs`, to the last bit as they were. */
  constructor(
    readonly backend: Backend,
    readonly bytes: number,
    inputs: readonly Saved[],
    readonly compute: (y: Buf) => void,
  ) {
    for (const input of inputs) input.refs++
    this.#inputs = inputs
  }

  get buf(): Buf {
    if (this.#values === null) {
      const values = Storage.alloc(this.backend, this.bytes)
      try {
        this.compute(values.buf)
      } catch (error) {
        values.release()
        throw error
      }
      this.#values = values
    }
    return this.#values.buf
  }

  release(): void {
    if (--this.refs > 0) return
    this.#values?.release()
    for (const input of this.#inputs) input.release()
  }
}
