import { closeSync, read as readCallback } from 'node:fs'
import { promisify } from 'node:util'
import { extensionOf, parseEntry, withoutCompression } from '../../files/data-names.js'
import { readFailed } from '../../files/errors.js'
import { openRegularSync } from '../../files/regular-file.js'
import { zerosOf } from './encodings.js'
import { RecordBound } from './record-bound.js'
import type { ReadOptions } from './record.js'

const read = promisify(readCallback)

const newline = 0x0a
/** Lines by 16 whose first byte is known; those between are found from it. */
const stride = 16
/** Bytes that are read at once where the next known line is far. */
const pieceBytes = 1 << 18

/** A line that is not empty: without its end, and its number in the file. */
export interface NumberedLine {
  readonly bytes: Uint8Array
  readonly line: number
}

const isBlank = (bytes: Uint8Array): boolean =>
  !(bytes[0]! > 0x20) && bytes.every((byte) => byte === 0x20 || byte === 0x09 || byte === 0x0d)

/**
 * Where the lines of a file begin that are not empty, found by the bytes of the file as they pass by. A row is one such line: they are
 * counted without being parsed, and read by their numbers. Of 16 rows one place is in memory, 16 bytes.
 */
export class LineIndex {
  readonly #path: string
  #places: Float64Array = new Float64Array(1024)
  #rows = 0
  #size = 0
  /** The first bytes, until there are enough to tell what the file is. */
  #head: Uint8Array = new Uint8Array(0)
  /** The line that the scan is in: its number, its first byte, and its bytes that came in earlier pieces, as far as they are blank. */
  #line = 1
  #start = 0
  #before: 'nothing' | 'blank' | 'text' = 'nothing'
  /** Why the file is none of lines of UTF-8. */
  #isOther = false
  #file: number | null = null

  constructor(path: string) {
    this.#path = path
  }

  /** Whether a file holds one record a line of UTF-8 as it is stored, as far as its name and the options say. */
  static isFor(name: string, { encoding = 'utf-8', tolerant, kind }: ReadOptions): boolean {
    return (
      parseEntry(name) === null &&
      /^\.(jsonl|ndjson)$/.test(extensionOf(name)) &&
      name === withoutCompression(name) &&
      /^utf-?8$/i.test(encoding) &&
      tolerant !== true &&
      kind === undefined
    )
  }

  /** Rows so far. */
  get rows(): number {
    return this.#rows
  }

  /** Whether its bytes begin as those of UTF-8 do. */
  get isUtf8(): boolean {
    return !this.#isOther
  }

  /** The next bytes of the file. */
  add(piece: Uint8Array): void {
    if (this.#size > 0) {
      this.#scan(piece)
      return
    }
    // A byte order mark may come in several pieces.
    this.#head = Buffer.concat([this.#head, piece])
    if (this.#head.length >= 3) this.#scan(this.#head)
  }

  #scan(piece: Uint8Array): void {
    const offset = this.#size
    this.#size += piece.length
    let from = 0
    if (offset === 0) {
      this.#head = new Uint8Array(0)
      const [a, b, c] = piece
      this.#isOther = (a === 0xff && b === 0xfe) || (a === 0xfe && b === 0xff) || zerosOf(piece) !== null
      // A byte order mark is no part of the first line.
      if (a === 0xef && b === 0xbb && c === 0xbf) this.#start = from = 3
    }
    for (let end = piece.indexOf(newline, from); end >= 0; end = piece.indexOf(newline, from)) {
      this.#endLine(piece.subarray(from, end))
      from = end + 1
      this.#line++
      this.#start = offset + from
    }
    if (from === piece.length) return
    const rest = piece.subarray(from)
    if (this.#before !== 'text') this.#before = isBlank(rest) ? 'blank' : 'text'
  }

  /** The end of the file. */
  end(): void {
    if (this.#size === 0 && this.#head.length > 0) this.#scan(this.#head)
    this.#endLine(new Uint8Array(0))
  }

  #endLine(rest: Uint8Array): void {
    const isText = this.#before === 'text' || !isBlank(rest)
    this.#before = 'nothing'
    if (!isText) return
    if (this.#rows % stride === 0) {
      const at = (2 * this.#rows) / stride
      if (at === this.#places.length) {
        const places = new Float64Array(2 * at)
        places.set(this.#places)
        this.#places = places
      }
      this.#places[at] = this.#start
      this.#places[at + 1] = this.#line
    }
    this.#rows++
  }

  /** The lines of rows, whose numbers ascend. */
  async read(rows: readonly number[]): Promise<NumberedLine[]> {
    const lines: Promise<NumberedLine[]>[] = []
    for (let from = 0; from < rows.length;) {
      const block = Math.floor(rows[from]! / stride)
      let to = from + 1
      while (to < rows.length && Math.floor(rows[to]! / stride) === block) to++
      lines.push(
        this.#readBlock(
          block,
          rows.slice(from, to).map((row) => row - block * stride),
        ),
      )
      from = to
    }
    return (await Promise.all(lines)).flat()
  }

  /** Lines of a block by their numbers in it. */
  async #readBlock(block: number, wanted: readonly number[]): Promise<NumberedLine[]> {
    const [start, next] = [this.#places[2 * block]!, this.#places[2 * block + 2]]
    const end = (block + 1) * stride < this.#rows ? next! : this.#size
    const found: NumberedLine[] = []
    const bound = new RecordBound(this.#path)
    let line = this.#places[2 * block + 1]!
    let row = 0
    let pending: Uint8Array[] = []
    const take = (last: Uint8Array) => {
      const bytes = pending.length === 0 ? last : Buffer.concat([...pending, last])
      pending = []
      if (isBlank(bytes)) return
      if (row === wanted[found.length]) found.push({ bytes, line })
      row++
    }
    for (let position = start; position < end && found.length < wanted.length;) {
      const piece = await this.#bytes(position, Math.min(pieceBytes, end - position))
      position += piece.length
      let from = 0
      for (let at = piece.indexOf(newline); at >= 0; at = piece.indexOf(newline, from)) {
        bound.add(at - from, line)
        take(piece.subarray(from, at))
        bound.end()
        from = at + 1
        line++
        if (found.length === wanted.length) return found
      }
      bound.add(piece.length - from, line)
      pending.push(piece.subarray(from))
    }
    take(new Uint8Array(0))
    return found
  }

  async #bytes(position: number, length: number): Promise<Uint8Array> {
    try {
      this.#file ??= openRegularSync(this.#path).file
      const buffer = Buffer.allocUnsafe(length)
      const { bytesRead } = await read(this.#file, buffer, 0, length, position)
      if (bytesRead === 0) throw new Error('the file is shorter than it was')
      return buffer.subarray(0, bytesRead)
    } catch (cause) {
      throw readFailed(this.#path, cause)
    }
  }

  /** Closes the file. */
  close(): void {
    if (this.#file !== null) closeSync(this.#file)
    this.#file = null
  }
}
