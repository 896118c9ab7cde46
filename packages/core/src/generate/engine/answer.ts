import type { AnswerPiece, Generation } from '../../contract/generate.js'

/** An answer on its way: its text piece by piece, as it becomes certain, and in the end the whole. */
export class Answer implements AsyncIterable<string> {
  /** Rejects with what ended the request: an error, or the reason of its cancellation. */
  readonly result: Promise<Generation>
  /** When its first tokens were fed, in milliseconds (`performance.now`); null while it waits. */
  begun: number | null = null
  /** When each of its tokens was chosen. */
  readonly times: number[] = []
  readonly #pieces: AnswerPiece[] = []
  #ended = false
  #wake: (() => void) | null = null
  #resolve!: (generation: Generation) => void
  #reject!: (error: unknown) => void

  /** `cancel` ends the request with this reason. */
  constructor(
    readonly id: number,
    readonly cancel: (reason?: unknown) => void,
  ) {
    this.result = new Promise((resolve, reject) => {
      this.#resolve = resolve
      this.#reject = reject
    })
    // Whoever reads the pieces alone gets it there.
    this.result.catch(() => undefined)
  }

  /** The text from now on; one reader. To stop reading cancels the request. */
  async *[Symbol.asyncIterator](): AsyncGenerator<string, void> {
    for await (const { text } of this.pieces()) if (text) yield text
  }

  /** The text from now on with its tokens; one reader. To stop reading cancels the request. */
  async *pieces(): AsyncGenerator<AnswerPiece, void> {
    try {
      for (;;) {
        const pieces = this.#pieces.splice(0)
        yield* pieces
        if (pieces.length > 0) continue
        if (this.#ended) break
        await new Promise<void>((resolve) => (this.#wake = resolve))
      }
      await this.result
    } finally {
      if (!this.#ended) this.cancel()
    }
  }

  /** For the engine: more of it. */
  push(piece: AnswerPiece): void {
    this.#pieces.push(piece)
    this.#wake?.()
  }

  /** For the engine: the end. */
  finish(generation: Generation): void {
    this.#ended = true
    this.#resolve(generation)
    this.#wake?.()
  }

  /** For the engine: the end, without an answer. */
  fail(error: unknown): void {
    this.#ended = true
    this.#reject(error)
    this.#wake?.()
  }
}
