import type { Chunks } from './record-file.js'

const quote = 0x22
const backslash = 0x5c
const newline = 0x0a
const carriageReturn = 0x0d

/** What separates the fields of a table that says nothing about it: one of these in its header, and no comma. */
const others = [';', '\t', '|']

/**
 * The sign between the fields of a table, told by its first line: a comma, unless there is none of it outside of quotes and one other
 * sign is.
 */
export async function delimiterOf(input: Chunks, comment: string | undefined): Promise<string> {
  const header = await firstLine(input, comment)
  const plain = header.replace(/"[^"]*"/g, '')
  const found = others.filter((sign) => plain.includes(sign))
  return found.length === 1 && !plain.includes(',') ? found[0]! : ','
}

/** Names of columns are longer in no table that was published. */
const longestHeader = 1 << 20

async function firstLine(input: Chunks, comment: string | undefined): Promise<string> {
  let text = ''
  for await (const chunk of input) {
    text += Buffer.from(chunk).toString('latin1')
    const lines = text.split(/\r?\n|\r/)
    // The last one may go on.
    const whole = lines.slice(0, -1).find((line) => isHeader(line, comment))
    if (whole !== undefined) return whole
    if (text.length > longestHeader) break
  }
  return text.split(/\r?\n|\r/).find((line) => isHeader(line, comment)) ?? ''
}

const isHeader = (line: string, comment: string | undefined) =>
  line.trim() !== '' && (comment === undefined || !line.startsWith(comment))

/** Whether a piece of a table has `\"` with text behind it, which a field of RFC 4180 has only outside of quotes. */
export const mayEscape = (bytes: Buffer): boolean =>
  bytes.includes('\\"') && /\\"[^",;|\t\r\n]/.test(bytes.toString('latin1'))

/**
 * Writes quotes that are escaped by a backslash as RFC 4180 does: inside of quotes `\"` becomes `""` and `\\` becomes `\`. A backslash before
 * anything else is a character like others, so that `\n` and formulas stay what they are.
 */
export class BackslashEscapes {
  readonly #delimiter: number
  #inQuotes = false
  /** Whether a quote would open a field here. */
  #atStart = true

  /** `delimiter` is one character of ASCII. */
  constructor(delimiter: string) {
    this.#delimiter = delimiter.charCodeAt(0)
  }

  /** The next piece, which ends with a line or is the last. */
  convert(bytes: Uint8Array): Uint8Array {
    const made = new Uint8Array(bytes.length)
    let length = 0
    for (let i = 0; i < bytes.length; i++) {
      const byte = bytes[i]!
      const next = bytes[i + 1]
      if (this.#inQuotes) {
        if (byte === backslash && (next === quote || next === backslash)) {
          if (next === quote) made[length++] = quote
          made[length++] = next
          i++
          continue
        }
        if (byte === quote && next === quote) {
          made[length++] = quote
          i++
        } else if (byte === quote) this.#inQuotes = false
      } else if (byte === quote && this.#atStart) {
        this.#inQuotes = true
        this.#atStart = false
      } else this.#atStart = byte === this.#delimiter || byte === newline || byte === carriageReturn
      made[length++] = byte
    }
    return made.subarray(0, length)
  }
}
