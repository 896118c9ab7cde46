/** Where records stand, `file:line` or `file#row`, in 16 bytes each. */
export class Places {
  readonly #files: string[] = []
  readonly #known = new Map<string, number>()
  /** File and line of record i; a place of another form is a file of its own, with line -1. */
  #places = new Float64Array(2048)
  #count = 0

  get count(): number {
    return this.#count
  }

  /** Adds a place; returns its number. */
  add(where: string): number {
    const [, file = where, line = '-1'] = /^(.*[:#])(\d{1,15})$/s.exec(where) ?? []
    let number = this.#known.get(file)
    if (number === undefined) {
      number = this.#files.push(file) - 1
      this.#known.set(file, number)
    }
    if (2 * this.#count === this.#places.length) {
      const places = new Float64Array(2 * this.#places.length)
      places.set(this.#places)
      this.#places = places
    }
    this.#places[2 * this.#count] = number
    this.#places[2 * this.#count + 1] = Number(line)
    return this.#count++
  }

  at(number: number): string {
    const [file, line] = this.#places.subarray(2 * number, 2 * number + 2)
    return line === -1 ? this.#files[file!]! : `${this.#files[file!]!}${line}`
  }
}
