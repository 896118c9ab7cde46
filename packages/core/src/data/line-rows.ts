import { IftError } from '@ift/tensor'
import type { Example } from '../contract/data.js'
import type { LocatedExample, SourceOptions } from './build.js'
import { recordConverter } from './format/index.js'
import { decodeUtf8, explained, type LineIndex } from './read/index.js'
import { parseRecord, type RawRecord } from './read/record.js'

/** A file of one record a line, whose lines were counted. */
export interface IndexedFile {
  readonly name: string
  readonly index: LineIndex
}

/** The examples of files of one record a line by their numbers, over all files in order: those that `readExamples` gives one after another. */
export class LineRows {
  readonly #files: readonly IndexedFile[]
  /** Number of the first row of each file, and of all. */
  readonly #starts: readonly number[]
  readonly #options: SourceOptions
  readonly #converters = new Map<number, Promise<(raw: RawRecord) => Example>>()

  constructor(files: readonly IndexedFile[], options: SourceOptions) {
    this.#files = files
    const starts = [0]
    for (const { index } of files) starts.push(starts.at(-1)! + index.rows)
    this.#starts = starts
    this.#options = options
  }

  get count(): number {
    return Math.min(this.#options.limit ?? Infinity, this.#starts.at(-1)!)
  }

  /** Rows by their numbers, which ascend. `IFT_FILE_CHANGED` for those of a file that is not what it was. */
  async read(rows: readonly number[]): Promise<LocatedExample[]> {
    const examples: LocatedExample[] = []
    for (let [from, f] = [0, 0]; from < rows.length; f++) {
      const [start, end] = [this.#starts[f]!, this.#starts[f + 1]!]
      let to = from
      while (to < rows.length && rows[to]! < end) to++
      if (to > from)
        examples.push(
          ...(await this.#readFile(
            f,
            rows.slice(from, to).map((row) => row - start),
          )),
        )
      from = to
    }
    return examples
  }

  async #readFile(f: number, rows: readonly number[]): Promise<LocatedExample[]> {
    const convert = await this.#converter(f)
    return (await this.#records(f, rows)).map((raw) => ({
      example: convert(raw),
      where: raw.where,
      record: raw.record,
    }))
  }

  async #records(f: number, rows: readonly number[]): Promise<RawRecord[]> {
    const { name, index } = this.#files[f]!
    const { stamps } = this.#options
    await stamps?.check(name)
    let row = rows[0] ?? 0
    try {
      const lines = await index.read(rows)
      // What was written over while it was read may be anything.
      await stamps?.check(name)
      if (lines.length !== rows.length)
        throw new IftError(
          'IFT_FILE_CHANGED',
          `${name}: expected ${rows.length} lines of those that were counted, found ${lines.length}.`,
          'Run it again when nothing writes to the data.',
        )
      return lines.map(({ bytes, line }, i) => {
        row = rows[i]!
        const where = `${name}:${line}`
        return parseRecord(decodeUtf8(bytes, where), where, this.#options)!
      })
    } catch (cause) {
      await stamps?.check(name)
      throw await explained(cause, name, row, this.#options)
    }
  }

  /** The first record of a file decides the form of all. */
  #converter(f: number): Promise<(raw: RawRecord) => Example> {
    const known = this.#converters.get(f)
    if (known) return known
    const made = (async () => {
      const convert = recordConverter(this.#options)
      for (const raw of await this.#records(f, [0])) convert(raw)
      return convert
    })()
    this.#converters.set(f, made)
    return made
  }

  close(): void {
    for (const { index } of this.#files) index.close()
  }
}
