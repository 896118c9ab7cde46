/** Cuts a stream of text at the first stop text, holding back what could be the beginning of one. */
export class StopScanner {
  #held = ''
  #stopped = false

  constructor(readonly stops: readonly string[]) {}

  get stopped(): boolean {
    return this.#stopped
  }

  /** Takes text and returns what is certain not to belong to a stop text. */
  push(text: string): string {
    if (this.#stopped) return ''
    this.#held += text
    const found = this.stops
      .map((stop) => this.#held.indexOf(stop))
      .filter((at) => at >= 0)
      .sort((a, b) => a - b)[0]
    if (found !== undefined) {
      const out = this.#held.slice(0, found)
      this.#held = ''
      this.#stopped = true
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
    return this.#stopped ? '' : out
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
