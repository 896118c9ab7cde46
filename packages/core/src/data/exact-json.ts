import { boundJson } from '../files/read-json.js'
import { isLosslessNumber, LosslessNumber, parse, stringify } from 'lossless-json'

/**
 * A number of a file that a double would write with other digits: 9007199254740993, 1.0, -0, 1e3. `value` is its text as the
 * file has it. Every other number is a `number`.
 */
export class ExactNumber extends LosslessNumber {
  /** The nearest double, for programs that know nothing of exact numbers; `exactJson` writes the digits. */
  toJSON(): number {
    return Number(this.value)
  }
}

export const isExactNumber = (value: unknown): value is ExactNumber => isLosslessNumber(value)

/** Integers of so few digits are written by a double as they were read. */
const safeDigits = 15

const keeps = (text: string) => String(Number(text)) === text

/** The text of a number as a `number` where that writes the same text, and as what keeps its digits elsewhere. */
export const exactNumber = (text: string): number | ExactNumber =>
  keeps(text) ? Number(text) : new ExactNumber(text)

const quote = 0x22
const backslash = 0x5c
const colon = 0x3a
const minus = 0x2d

const isDigit = (code: number) => code >= 0x30 && code <= 0x39
const isSpace = (code: number) => code === 0x20 || code === 0x0a || code === 0x0d || code === 0x09
/** . e E, behind the first digits of a number that is no integer or is not written as one */
const isPoint = (code: number) => code === 0x2e || code === 0x65 || code === 0x45
const isSign = (code: number) => code === minus || code === 0x2b

/** The place behind a string that begins at `at`. */
function behindString(text: string, at: number): number {
  let end = text.indexOf('"', at + 1)
  while (end >= 0) {
    let escapes = 0
    while (text.charCodeAt(end - 1 - escapes) === backslash) escapes++
    if (escapes % 2 === 0) return end + 1
    end = text.indexOf('"', end + 1)
  }
  return text.length
}

/** Keys in a JSON text, counted with those that are there twice, and whether doubles keep all its numbers. */
function scan(text: string): { readonly keys: number; readonly exact: boolean } {
  let keys = 0
  let exact = true
  for (let i = 0; i < text.length;) {
    let code = text.charCodeAt(i)
    if (code === quote) {
      i = behindString(text, i)
      while (isSpace(text.charCodeAt(i))) i++
      if (text.charCodeAt(i) === colon) keys++
    } else if (isDigit(code) || code === minus) {
      const start = i
      const negative = code === minus
      do code = text.charCodeAt(++i)
      while (isDigit(code))
      const integer = !isPoint(code)
      while (isDigit(code) || isPoint(code) || isSign(code)) code = text.charCodeAt(++i)
      if (exact && (!integer || negative || i - start > safeDigits)) exact = keeps(text.slice(start, i))
    } else i++
  }
  return { keys, exact }
}

function countKeys(value: object): number {
  let keys = 0
  const add = (item: unknown) => {
    if (typeof item === 'object' && item !== null) keys += countKeys(item)
  }
  if (Array.isArray(value)) for (const item of value) add(item)
  else
    for (const item of Object.values(value)) {
      keys++
      add(item)
    }
  return keys
}

/** A key that an object has twice with different values, and where it is. */
export class DuplicateKey extends Error {
  constructor(
    readonly key: string,
    readonly position: number,
  ) {
    super(`the key "${key}" is there twice with different values, at character ${position}`)
  }
}

/**
 * JSON.parse that keeps the digits of numbers (`ExactNumber`). Throws SyntaxError, JsonBound for what is too deep or too much, and DuplicateKey where JSON.parse would
 * keep the last of two values. Texts without such numbers and keys, nearly all, cost one look over what is between strings.
 */
export function parseExactJson(text: string): unknown {
  boundJson(text)
  const plain: unknown = JSON.parse(text)
  const { keys, exact } = scan(text)
  // Most records are flat: their fields need no further visit.
  const flat =
    typeof plain === 'object' && plain !== null && !Array.isArray(plain) && keys === Object.keys(plain).length
  if (exact && (flat || keys === countKeys([plain]))) return plain
  return parse(text, undefined, {
    parseNumber: exactNumber,
    onDuplicateKey: ({ key, position }) => {
      throw new DuplicateKey(key, position)
    },
  })
}

function holdsExact(value: unknown): boolean {
  if (typeof value !== 'object' || value === null) return false
  if (isLosslessNumber(value)) return true
  return Object.values(value).some(holdsExact)
}

/** JSON.stringify that writes an `ExactNumber` with its own digits. */
export const exactJson = (value: unknown, space?: number): string =>
  holdsExact(value) ? (stringify(value, undefined, space) ?? 'null') : JSON.stringify(value, null, space)

/** A value that was read, as plain JSON: numbers whose digits a double does not keep are texts. */
export function plainJson(value: unknown): unknown {
  if (isExactNumber(value)) return keeps(value.value) ? Number(value.value) : value.value
  if (Array.isArray(value)) return value.map(plainJson)
  if (typeof value !== 'object' || value === null) return value
  return Object.fromEntries(Object.entries(value).map(([key, inner]) => [key, plainJson(inner)]))
}
