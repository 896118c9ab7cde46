import { isUtf8 } from 'node:buffer'
import type { CsvError, Info } from 'csv-parse'
import { IftError } from '@ift/tensor'
import { mostRecordBytes } from '../../files/bounds.js'
import { decodeUtf8, openBytes } from './bytes.js'
import { BackslashEscapes, delimiterOf, mayEscape } from './csv-dialect.js'
import { Head } from './head.js'
import { fileOnDisk, type Chunks, type RecordFile } from './record-file.js'
import { RecordBound } from './record-bound.js'
import { excerpt, report, type RawRecord, type ReadOptions } from './record.js'

/** Whole lines of valid UTF-8, so that the line of a wrong byte is known. */
async function* checked(input: Chunks, path: string): AsyncGenerator<Buffer> {
  let line = 1
  let pending: Uint8Array[] = []
  const bound = new RecordBound(path)
  for await (const chunk of input) {
    const end = chunk.lastIndexOf(0x0a) + 1
    if (end > 0) {
      const bytes = Buffer.concat([...pending, chunk.subarray(0, end)])
      line = check(path, bytes, line)
      bound.add(end, line)
      if (bytes.some(isText)) bound.end()
      yield bytes
      pending = []
    }
    pending.push(chunk.slice(end))
    bound.add(chunk.length - end, line)
  }
  const rest = Buffer.concat(pending)
  check(path, rest, line)
  if (rest.length > 0) yield rest
}

const isText = (byte: number) => byte !== 0x0a && byte !== 0x0d && byte !== 0x20

/** The line behind the bytes, of which the first begins line `line`. */
function check(path: string, bytes: Uint8Array, line: number): number {
  if (isUtf8(bytes)) {
    for (const byte of bytes) if (byte === 0x0a) line++
    return line
  }
  let start = 0
  for (let end = bytes.indexOf(0x0a); ; end = bytes.indexOf(0x0a, start)) {
    decodeUtf8(bytes.subarray(start, end < 0 ? bytes.length : end), `${path}:${line}`)
    if (end < 0) return line
    line++
    start = end + 1
  }
}

/** Names of the first line, or of `csv.header`. A column without one gets its number, so that no other takes its place. */
function columnNames(path: string, header: readonly string[], isGiven: boolean): string[] {
  const names = header.map((name, i) => name.trim() || `column ${i + 1}`)
  const second = names.findIndex((name, i) => names.indexOf(name) < i)
  if (second < 0) return names
  throw new IftError(
    isGiven ? 'IFT_CONFIG_INVALID' : 'IFT_DATA_SYNTAX',
    `${path}:${isGiven ? ' csv.header:' : '1:'} columns ${names.indexOf(names[second]!) + 1} and ${second + 1} are both named "${names[second]!}"; one would be lost.`,
    'Rename one of them.',
  )
}

/** Line ends inside of the fields of a record. */
function linesWithin(record: Readonly<Record<string, string>>): number {
  let count = 0
  for (const value of Object.values(record))
    for (let at = value.indexOf('\n'); at >= 0; at = value.indexOf('\n', at + 1)) count++
  return count
}

const useEscape = 'The file seems to write \\" for a quote: csv: { escape: "\\\\" }.'

/** What is wrong with a record that the parser refused or took apart. */
function syntax(where: string, what: string, delimiter: string, escapes: boolean, cause?: Error): IftError {
  const sign = delimiter === '\t' ? 'tabs' : delimiter === ',' ? 'commas' : `"${delimiter}"`
  return new IftError(
    'IFT_DATA_SYNTAX',
    `${where}: ${excerpt(what, 200)}`,
    escapes
      ? useEscape
      : `Fields that hold ${sign}, quotes or line breaks stand in double quotes; a double quote is written twice. Lines that are none of the table: csv: { comment: "#" }.`,
    cause ? { cause } : undefined,
  )
}

/**
 * Values in columns with quoting as in RFC 4180; quotes inside an unquoted field are plain characters. Without `delimiter`, here or in the
 * options, it is told by the header.
 */
export async function* readCsv(
  source: string | RecordFile,
  delimiter?: string,
  options: ReadOptions = {},
): AsyncGenerator<RawRecord> {
  const file = typeof source === 'string' ? fileOnDisk(source) : source
  const path = file.name
  const { header = true, quotes = true, escape = '"', comment } = options
  const head = new Head(openBytes(file, options))
  const sign =
    options.delimiter ??
    delimiter ??
    (typeof header === 'boolean' ? await delimiterOf(head.peek(), comment) : ',')
  // Loaded by the first table: a run on other data starts without it.
  const { parse } = await import('csv-parse')
  const parser = parse({
    delimiter: sign,
    columns:
      header === true
        ? (names: string[]) => columnNames(path, names, false)
        : header === false
          ? false
          : columnNames(path, header, true),
    relax_column_count: header === false,
    info: true,
    quote: quotes ? '"' : false,
    relax_quotes: true,
    skip_empty_lines: true,
    skip_records_with_error: options.onProblem !== undefined,
    ...(comment === undefined ? {} : { comment, comment_no_infix: true }),
    encoding: 'utf8',
    // Lines inside quotes belong to one record.
    max_record_size: mostRecordBytes,
  })
  const seen = { escapes: false }
  const problem = (cause: Error & { lines?: unknown }) =>
    syntax(`${path}:${Number(cause.lines)}`, cause.message, sign, seen.escapes, cause)
  parser.on('skip', (cause?: CsvError) => {
    if (cause) report(problem(cause), options)
  })
  const escapes = quotes && escape === '\\' ? new BackslashEscapes(sign) : null
  const pump = (async () => {
    for await (const bytes of checked(head.all(), path)) {
      if (quotes && !escapes) seen.escapes ||= mayEscape(bytes)
      if (!parser.write(escapes ? escapes.convert(bytes) : bytes) && !parser.destroyed)
        await new Promise<void>((done) => {
          parser.once('drain', done).once('close', done)
        })
      if (parser.destroyed) return
    }
    parser.end()
  })()
  pump.catch((cause: unknown) => parser.destroy(cause as Error))
  try {
    for await (const row of parser) {
      const { record: fields, info } = row as { record: Record<string, string> | string[]; info: Info }
      const record = Array.isArray(fields) ? Object.fromEntries(fields.entries()) : fields
      const where = `${path}:${info.lines - linesWithin(record)}`
      const split = seen.escapes && Object.values(record).find(isCutOpen)
      if (typeof split === 'string')
        report(
          syntax(where, `a quote behind a backslash ends the field, and text follows: ${split}`, sign, true),
          options,
        )
      else yield { record, where }
    }
  } catch (cause) {
    throw cause instanceof IftError || !(cause instanceof Error) ? cause : problem(cause)
  } finally {
    parser.destroy()
    await head.close()
  }
}

/** A field that began with a quote and went on behind the next one is given as it stands in the file. */
const isCutOpen = (value: string) => value.startsWith('"') && value.includes('\\"')
