/** Runs at most `most` tasks at a time; the others wait in the order that they came in. */
export class Limit {
  #running = 0
  readonly #waiting: (() => void)[] = []

  constructor(readonly most: number) {}

  async run<T>(task: () => Promise<T>): Promise<T> {
    if (this.#running < this.most) this.#running++
    // Whoever ends hands its place on.
    else await new Promise<void>((begin) => this.#waiting.push(begin))
    try {
      return await task()
    } finally {
      const next = this.#waiting.shift()
      if (next) next()
      else this.#running--
    }
  }
}
