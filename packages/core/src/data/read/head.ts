import type { Chunks } from './record-file.js'

/** A stream whose beginning is looked at before it is read, without being opened twice. */
export class Head {
  readonly #rest: AsyncIterator<Uint8Array>
  #kept: Uint8Array[] = []

  constructor(input: Chunks) {
    this.#rest = input[Symbol.asyncIterator]()
  }

  /** From the first byte on. What is read is kept for the next one. */
  async *peek(): Chunks {
    for (let i = 0; ; i++) {
      if (i === this.#kept.length) {
        const next = await this.#rest.next()
        if (next.done === true) return
        this.#kept.push(next.value)
      }
      yield this.#kept[i]!
    }
  }

  /** Everything, once. */
  async *all(): Chunks {
    for (const chunk of this.#kept.splice(0)) yield chunk
    for (let next = await this.#rest.next(); next.done !== true; next = await this.#rest.next())
      yield next.value
  }

  /** Nobody reads on. */
  async close(): Promise<void> {
    await this.#rest.return?.()
  }
}
