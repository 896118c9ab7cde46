import { isUtf8 } from 'node:buffer'
import type { CsvError, Info } from 'csv-parse'
import { IftError } from '@ift/tensor'
import { mostRecordBytes } from '../../files/bounds.js'
import { decodeUtf8, openBytes } from './bytes.js'
import { fileOnDisk, type RecordFile } from './record-file.js'
import { RecordBound } from './record-bound.js'
import { excerpt, report, type RawRecord, type ReadOptions } from './record.js'

/** Whole lines of valid UTF-8, so that the line of a wrong byte is known. */
async function* checked(file: RecordFile, encoding: string | undefined): AsyncGenerator<Uint8Array> {
  const path = file.name
  let line = 1
  let pending: Uint8Array[] = []
  const bound = new RecordBound(path)
  for await (const chunk of openBytes(file, encoding)) {
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

/** Names of the first line. A column without one gets its number, so that no other takes its place. */
function columnNames(path: string, header: readonly string[]): string[] {
  const names = header.map((name, i) => name.trim() || `column ${i + 1}`)
  const second = names.findIndex((name, i) => names.indexOf(name) < i)
  if (second < 0) return names
  throw new IftError(
    'IFT_DATA_SYNTAX',
    `${path}:1: columns ${names.indexOf(names[second]!) + 1} and ${second + 1} are both named "${names[second]!}"; one would be lost.`,
    'Rename one of them.',
  )
}

/** Comma or tab separated values with quoting as in RFC 4180; quotes inside an unquoted field are plain characters. */
export async function* readCsv(
  source: string | RecordFile,
  delimiter: ',' | '\t',
  options: ReadOptions = {},
): AsyncGenerator<RawRecord> {
  const file = typeof source === 'string' ? fileOnDisk(source) : source
  const path = file.name
  const { header = true, quotes = true } = options
  // Loaded by the first table: a run on other data starts without it.
  const { parse } = await import('csv-parse')
  const parser = parse({
    delimiter,
    columns: header === true ? (names: string[]) => columnNames(path, names) : [...header],
    info: true,
    quote: quotes ? '"' : false,
    relax_quotes: true,
    skip_empty_lines: true,
    skip_records_with_error: options.onProblem !== undefined,
    encoding: 'utf8',
    // Lines inside quotes belong to one record.
    max_record_size: mostRecordBytes,
  })
  const problem = (cause: Error & { lines?: unknown }) =>
    new IftError(
      'IFT_DATA_SYNTAX',
      `${path}:${Number(cause.lines)}: ${excerpt(cause.message, 200)}`,
      delimiter === ','
        ? 'Fields that hold commas, quotes or line breaks stand in double quotes; a double quote is written twice.'
        : 'Fields that hold tabs or line breaks stand in double quotes; a double quote is written twice.',
      { cause },
    )
  parser.on('skip', (cause?: CsvError) => {
    if (cause) report(problem(cause), options)
  })
  const lines = checked(file, options.encoding)
  const pump = (async () => {
    for await (const bytes of lines) {
      if (!parser.write(bytes) && !parser.destroyed)
        await new Promise<void>((done) => {
          parser.once('drain', done).once('close', done)
        })
      if (parser.destroyed) return
    }
    parser.end()
  })()
  pump.catch((cause: unknown) => parser.destroy(cause as Error))
  try {
    let line = header === true ? 2 : 1
    for await (const row of parser) {
      const { record, info } = row as { record: Record<string, string>; info: Info }
      yield { record, where: `${path}:${line}` }
      line = info.lines + 1
    }
  } catch (cause) {
    throw cause instanceof IftError || !(cause instanceof Error) ? cause : problem(cause)
  } finally {
    parser.destroy()
  }
}
