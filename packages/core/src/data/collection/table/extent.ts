/** Texts of a table, merged cells repeated; tables of published sets have some thousand. */
const mostPlaces = 2 ** 20
/** Characters of these texts. What is escaped may be five times as long, and is still a string. */
const mostCharacters = 2 ** 24

/** What a table takes when it is written: a merged cell of a short record stands in very many places. */
export class Extent {
  #places = 0
  #characters = 0

  /** Counts one more text; false where the table has too many, or too long ones. */
  takes(text: string): boolean {
    this.#places++
    this.#characters += text.length
    return this.#places <= mostPlaces && this.#characters <= mostCharacters
  }
}

/** Whether rows may be filled up to the same width. */
export const isWithin = (rows: number, columns: number): boolean => rows * columns <= mostPlaces
