/**
 * Finds the end of one JSON value, character by character. Inside it nothing is checked but strings and brackets: what a model writes is
 * passed on as it is.
 */
export class JsonValueEnd {
  #depth = 0
  #state: 'start' | 'open' | 'string' | 'escape' | 'scalar' = 'start'

  /** Whether the next character stands inside a string. */
  get inString(): boolean {
    return this.#state === 'string' || this.#state === 'escape'
  }

  /** 'inside' and 'last' belong to the value; 'behind' does not, and 'before' is white space in front of it. */
  push(char: string): 'before' | 'inside' | 'last' | 'behind' {
    switch (this.#state) {
      case 'escape':
        this.#state = 'string'
        return 'inside'
      case 'string':
        if (char === '\\') this.#state = 'escape'
        if (char !== '"') return 'inside'
        return this.#close()
      case 'scalar':
        return /[\s,;\]}]/.test(char) ? 'behind' : 'inside'
      default:
        break
    }
    if (char === '"') {
      this.#state = 'string'
      return 'inside'
    }
    if (char === '{' || char === '[') {
      this.#depth++
      this.#state = 'open'
      return 'inside'
    }
    if (this.#state === 'start') {
      if (/\s/.test(char)) return 'before'
      if (/[,;\]}]/.test(char)) return 'behind'
      this.#state = 'scalar'
      return 'inside'
    }
    if (char === '}' || char === ']') {
      this.#depth--
      return this.#close()
    }
    return 'inside'
  }

  #close(): 'inside' | 'last' {
    this.#state = 'open'
    return this.#depth === 0 ? 'last' : 'inside'
  }
}
