import { IftError } from '@ift/tensor'
import { JsonBound } from '../../files/read-json.js'
import { DuplicateKey, isExactNumber, parseExactJson } from '../exact-json.js'
import type { FileStamps } from './record-file.js'
import type { Split } from './splits.js'

/** A record of a data file before anybody knows its form. */
export interface RawRecord {
  readonly record: Readonly<Record<string, unknown>>
  /** Where it begins: `file:line`, or `file#row` in a format without lines. */
  readonly where: string
}

export interface ReadOptions {
  /** Character encoding as TextDecoder names it: utf-8, gb18030, big5, utf-16le. A byte order mark wins. */
  readonly encoding?: string
  /**
   * What becomes of bytes that are no text in an encoding other than UTF-8: the file is refused (default), or U+FFFD stands in their
   * place.
   */
  readonly undecodable?: 'refuse' | 'replace'
  /** Reads JSON that is not as the standard says: comments, commas too many, single quotes, line breaks in strings, NaN. */
  readonly tolerant?: boolean
  /** Which files of a folder; all of them when absent. */
  readonly split?: Split
  /**
   * Column names of a CSV or TSV file: true takes them from the first line (default), a list says that the file has
   * none. Without them (false) the fields of a line have their numbers as names, from 0, and lines may differ in length.
   */
  readonly header?: boolean | readonly string[]
  /** One character between the fields of a CSV file; told by its first line when absent. */
  readonly delimiter?: string
  /** How a double quote is written inside of a field in quotes: twice, as in RFC 4180 (default), or behind a backslash. */
  readonly escape?: '"' | '\\'
  /** What lines of a CSV or TSV file begin with that are none of the table; no line does when absent. */
  readonly comment?: string
  /** Whether double quotes enclose fields of a CSV or TSV file (default), or are characters like others. */
  readonly quotes?: boolean
  /** Name of the field under which a list in the place of a record is one; an error without it. */
  readonly lists?: string
  /** What a file is whose name does not tell its kind. */
  readonly kind?: '.json' | '.jsonl' | '.csv' | '.tsv'
  /** Whether a record is an example, so that an object alone in its file is not looked into for a list of them. */
  readonly isExample?: (record: Readonly<Record<string, unknown>>) => boolean
  /** What the files were when they were found: one that is not the same any more when its turn comes is IFT_FILE_CHANGED. */
  readonly stamps?: FileStamps
  /** Receives what is wrong with single records, which are then skipped; without it the first one is thrown. */
  readonly onProblem?: (problem: IftError) => void
}

/** The beginning of a text on one line, by which a reader of a message recognises the place. */
export function excerpt(text: string, length = 80): string {
  const flat = text.replace(/\s+/g, ' ').trim()
  return flat.length <= length ? flat : `${flat.slice(0, length)}…`
}

export const kindOf = (value: unknown): string =>
  value === null
    ? 'null'
    : Array.isArray(value)
      ? 'an array'
      : isExactNumber(value)
        ? 'a number'
        : typeof value === 'object'
          ? 'an object'
          : `a ${typeof value}`

export const isRecord = (value: unknown): value is Record<string, unknown> =>
  typeof value === 'object' && value !== null && !Array.isArray(value) && !isExactNumber(value)

/** Reports to `onProblem`, or throws. */
export function report(problem: IftError, options: ReadOptions): void {
  if (!options.onProblem) throw problem
  options.onProblem(problem)
}

/** Parses one JSON text to a record; null when it was reported as broken. */
export function parseRecord(
  text: string,
  where: string,
  options: ReadOptions,
  parse: JsonParser = parseExactJson,
): RawRecord | null {
  let value: unknown
  try {
    value = parse(text)
  } catch (cause) {
    report(
      cause instanceof DuplicateKey
        ? twice(cause, where, text)
        : cause instanceof JsonBound
          ? new IftError('IFT_DATA_RECORD', `${where}: ${cause.message}.`, 'Cut it into several records.', {
              cause,
            })
          : new IftError(
              'IFT_DATA_SYNTAX',
              `${placeOf(where, cause)}: not valid JSON: ${reason(cause)}: ${excerpt(text)}`,
              'Mend or delete the record; `npx ift data validate` lists every broken one.',
              { cause },
            ),
      options,
    )
    return null
  }
  if (isRecord(value)) return { record: value, where }
  if (Array.isArray(value) && options.lists !== undefined)
    return { record: { [options.lists]: value }, where }
  refuseValue(value, where, text, options)
  return null
}

/** What makes a value of a JSON text, or throws as `parseExactJson` does. */
export type JsonParser = (text: string) => unknown

/** The parser of a file; that of tolerant JSON is loaded when it is wanted. */
export const jsonParser = async ({ tolerant = false }: ReadOptions): Promise<JsonParser> =>
  tolerant ? (await import('./tolerant-json.js')).parseTolerantJson : parseExactJson

/** The line of an error in a record of several lines, where the parser knows it. */
const placeOf = (where: string, cause: unknown): string =>
  cause instanceof SyntaxError && 'line' in cause && typeof cause.line === 'number'
    ? where.replace(/\d+$/, (line) => String(Number(line) + (cause.line as number) - 1))
    : where

/** Reports a value in the place of a record. */
export function refuseValue(value: unknown, where: string, text: string, options: ReadOptions): void {
  report(
    new IftError(
      'IFT_DATA_RECORD',
      `${where}: expected a record (a JSON object), found ${kindOf(value)}: ${excerpt(text)}`,
      'Every record is an object such as {"instruction": …, "input": …, "output": …}.',
    ),
    options,
  )
}

/** Either value may be meant; taking one of them would lose the other silently. */
const twice = (cause: DuplicateKey, where: string, text: string): IftError =>
  new IftError(
    'IFT_DATA_RECORD',
    `${where}: ${cause.message}: ${excerpt(text.slice(Math.max(0, cause.position - 1)))}`,
    'Delete or rename one of the two.',
    { cause },
  )

/** V8's message without the text that it repeats. */
function reason(cause: unknown): string {
  const message = cause instanceof Error ? cause.message : String(cause)
  return message
    .replace(/, (\.\.\.)?".*" is not valid JSON$/s, '')
    .replace(/ in JSON at position (\d+).*$/s, ' at character $1')
}
