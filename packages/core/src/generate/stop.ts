/** Cuts a stream of text at the first stop text, holding back what could be the beginning of one. */
export class StopScanner {
  #held = ''
  #found: string | null = null

  constructor(readonly stops: readonly string[]) {}

  /** The stop text that came first; null as long as none has come. */
  get found(): string | null {
    return this.#found
  }

  /** Takes text and returns what is certain not to belong to a stop text. */
  push(text: string): string {
    if (this.#found !== null) return ''
    this.#held += text
    const first = this.stops
      .map((stop) => ({ stop, at: this.#held.indexOf(stop) }))
      .filter(({ at }) => at >= 0)
      .sort((a, b) => a.at - b.at)[0]
    if (first !== undefined) {
      const out = this.#held.slice(0, first.at)
      this.#held = ''
      this.#found = first.stop
      return out
    }
    const keep = this.#longestBeginning()
    const out = this.#held.slice(0, this.#held.length - keep)
    this.#held = this.#held.slice(this.#held.length - keep)
    return out
  }

  /** The text that was held back, when it ends without a stop. */
  end(): string {
    const out = this.#held
    this.#held = ''
    return this.#found === null ? out : ''
  }

  /** Length of the longest end of the held text that begins a stop text. */
  #longestBeginning(): number {
    let longest = 0
    for (const stop of this.stops)
      for (let n = Math.min(stop.length - 1, this.#held.length); n > longest; n--)
        if (this.#held.endsWith(stop.slice(0, n))) longest = n
    return longest
  }
}
