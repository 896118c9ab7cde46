import type { IftError } from '@ift/tensor'
import type { core } from 'zod'
import { mostJsonDepth, mostJsonValues, mostSettingsBytes } from './bounds.js'
import { corrupt } from './errors.js'
import { readRegular, readRegularSync } from './regular-file.js'
import { decodeText } from './text.js'

/** A JSON text that is deeper, or holds more values, than one may. */
export class JsonBound extends Error {}

const quote = 0x22
const apostrophe = 0x27
const backslash = 0x5c
const comma = 0x2c
const slash = 0x2f
const star = 0x2a
const lineEnd = /[\r\n]/g

/**
 * Throws `JsonBound` for a text that would take too much to parse, or whose value would be too deep for what walks through it. The text
 * need not be JSON; strings are passed over by their ends, and if `json5` is set, those in single quotes and comments too.
 */
export function boundJson(text: string, { json5 = false }: { readonly json5?: boolean } = {}): void {
  // Each value but the first needs a sign of its own.
  if (text.length < mostJsonDepth) return
  let depth = 0
  let values = 1
  for (let i = 0; i < text.length; i++) {
    const code = text.charCodeAt(i)
    if (code === quote || (json5 && code === apostrophe)) {
      const end = code === quote ? '"' : "'"
      i = text.indexOf(end, i + 1)
      while (i >= 0 && isEscaped(text, i)) i = text.indexOf(end, i + 1)
      if (i < 0) return
    } else if (json5 && code === slash) {
      const end = commentEnd(text, i)
      if (end < 0) return
      i = end
    } else if (code === comma) values++
    // [ and { differ in one bit, as ] and } do.
    else if ((code | 0x20) === 0x7b) {
      values++
      if (++depth > mostJsonDepth)
        throw new JsonBound(`it is more than ${mostJsonDepth} levels deep at character ${i}`)
    } else if ((code | 0x20) === 0x7d) depth--
  }
  if (values > mostJsonValues) throw new JsonBound(`it holds more than ${mostJsonValues} values`)
}

/** The last character of the comment that begins at a slash, the slash itself where none does; -1 for one that does not end. */
function commentEnd(text: string, at: number): number {
  const next = text.charCodeAt(at + 1)
  if (next === star) {
    const end = text.indexOf('*/', at + 2)
    return end < 0 ? -1 : end + 1
  }
  if (next !== slash) return at
  lineEnd.lastIndex = at + 2
  return lineEnd.exec(text)?.index ?? -1
}

function isEscaped(text: string, at: number): boolean {
  let escapes = 0
  while (text.charCodeAt(at - 1 - escapes) === backslash) escapes++
  return escapes % 2 === 1
}

/** What is parsed: anything that checks a value and says what it expected, such as a schema of zod. */
export interface Shape<T> {
  safeParse(
    value: unknown,
  ): { success: true; data: T } | { success: false; error: { issues: core.$ZodIssue[] } }
}

export interface JsonOptions {
  /** Longest file; that of settings when omitted. */
  readonly most?: number
  /** The error for a value of another shape; `IFT_FILE_CORRUPT` when omitted. `problem` names field, expected and found. */
  readonly wrong?: (problem: string) => IftError
  /** What to do about a file that is no JSON. */
  readonly hint?: string
}

function kindOf(value: unknown): string {
  if (value === undefined) return 'nothing'
  if (value === null) return 'null'
  if (Array.isArray(value)) return 'a list'
  if (typeof value === 'object') return 'an object'
  const text = JSON.stringify(value)
  return text.length > 60 ? `${text.slice(0, 60)}…` : text
}

/** `field: expected …, found …` of the first thing that is wrong. */
function problemOf(issue: core.$ZodIssue, value: unknown): string {
  const found = issue.path.reduce<unknown>(
    (inner, key) =>
      typeof inner === 'object' && inner !== null && Object.hasOwn(inner, key)
        ? (inner as Record<PropertyKey, unknown>)[key]
        : undefined,
    value,
  )
  const field = issue.path
    .map((key) => (typeof key === 'number' ? `[${key}]` : `.${String(key)}`))
    .join('')
    .replace(/^\./, '')
  const names: Readonly<Record<string, string>> = {
    object: 'a JSON object',
    record: 'a JSON object',
    array: 'a list',
    string: 'a text',
    number: 'a number',
    int: 'a whole number',
    boolean: 'true or false',
  }
  const expected = 'expected' in issue ? (names[issue.expected] ?? issue.expected) : null
  const what = expected === null ? issue.message.replace(/^Invalid input: /, '') : `expected ${expected}`
  return `${field === '' ? '' : `${field}: `}${what}, found ${kindOf(found)}`
}

/** An object of any fields, for who checks them one by one. */
export const jsonObject: Shape<Record<string, unknown>> = {
  safeParse: (value) =>
    typeof value === 'object' && value !== null && !Array.isArray(value)
      ? { success: true, data: value as Record<string, unknown> }
      : {
          success: false,
          error: {
            issues: [{ code: 'invalid_type', expected: 'object', path: [], message: '', input: value }],
          },
        },
}

/** The value of a JSON text of a file, checked: `IFT_FILE_CORRUPT` for what is no JSON or too much of it. */
export function parseJson<T>(
  path: string,
  content: string | Uint8Array,
  shape: Shape<T>,
  options: JsonOptions = {},
): T {
  let value: unknown
  try {
    const text = typeof content === 'string' ? content : decodeText(content)
    boundJson(text)
    value = JSON.parse(text)
  } catch (cause) {
    if (cause instanceof JsonBound) throw corrupt(path, cause.message, options.hint, cause)
    if (cause instanceof SyntaxError || cause instanceof TypeError)
      throw corrupt(path, `not valid JSON: ${cause.message}`, options.hint, cause)
    throw cause
  }
  const result = shape.safeParse(value)
  if (result.success) return result.data
  const problem = problemOf(result.error.issues[0]!, value)
  throw options.wrong?.(problem) ?? corrupt(path, problem, options.hint)
}

/**
 * Reads a JSON file and checks its shape. Errors name file and field: `IFT_FILE_NOT_FOUND`, `IFT_FILE_UNREADABLE`, `IFT_FILE_CORRUPT` for what is
 * no file, too long or no JSON, and `wrong` for another shape.
 */
export async function readJson<T>(path: string, shape: Shape<T>, options: JsonOptions = {}): Promise<T> {
  return parseJson(path, await readRegular(path, options.most ?? mostSettingsBytes), shape, options)
}

/** `readJson` at once. */
export const readJsonSync = <T>(path: string, shape: Shape<T>, options: JsonOptions = {}): T =>
  parseJson(path, readRegularSync(path, options.most ?? mostSettingsBytes), shape, options)
