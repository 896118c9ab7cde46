import { decodeUtf8, openBytes } from './bytes.js'
import { RecordBound } from './record-bound.js'
import type { Chunks, RecordFile } from './record-file.js'
import { jsonParser, parseRecord, type RawRecord, type ReadOptions } from './record.js'
import { splitJson } from './split-json.js'

const newline = 0x0a

interface Line {
  /** Without its end. */
  readonly bytes: Uint8Array
  readonly line: number
}

/** Non-empty lines of a file with their numbers. A line has at most `mostRecordBytes`. */
export const readLines = (path: string, encoding?: string): AsyncGenerator<Line> =>
  linesOf(openBytes(path, encoding === undefined ? {} : { encoding }), path)

/** Non-empty lines of UTF-8. */
async function* linesOf(input: Chunks, name: string): AsyncGenerator<Line> {
  let line = 1
  let pending: Uint8Array[] = []
  const bound = new RecordBound(name)
  const take = (last: Uint8Array): Uint8Array | null => {
    const bytes = pending.length === 0 ? last : Buffer.concat([...pending, last])
    pending = []
    return bytes.some((byte) => byte !== 0x20 && byte !== 0x09 && byte !== 0x0d) ? bytes : null
  }
  for await (const chunk of input) {
    let start = 0
    for (let end = chunk.indexOf(newline); end >= 0; end = chunk.indexOf(newline, start)) {
      bound.add(end + 1 - start, line)
      const bytes = take(chunk.subarray(start, end))
      if (bytes) {
        bound.end()
        yield { bytes, line }
      }
      line++
      start = end + 1
      // Blank lines, of which there may be millions.
      const blank = start
      while (chunk[start] === newline) start++
      line += start - blank
      bound.add(start - blank, line)
    }
    if (start < chunk.length) {
      bound.add(chunk.length - start, line)
      pending.push(chunk.slice(start))
    }
  }
  const bytes = take(new Uint8Array(0))
  if (bytes) yield { bytes, line }
}

/** One JSON object a line of UTF-8; blank lines and CRLF are fine. */
export async function* parseLines(
  input: Chunks,
  name: string,
  options: ReadOptions,
): AsyncGenerator<RawRecord> {
  for await (const { bytes, line } of linesOf(input, name)) {
    const where = `${name}:${line}`
    const record = parseRecord(decodeUtf8(bytes, where), where, options)
    if (record) yield record
  }
}

/** One JSON object a line; of a tolerant file, objects one after another, since strings may go over lines. */
export async function* readJsonl(file: RecordFile, options: ReadOptions = {}): AsyncGenerator<RawRecord> {
  const bytes = openBytes(file, options)
  if (options.tolerant !== true) {
    yield* parseLines(bytes, file.name, options)
    return
  }
  const parse = await jsonParser(options)
  for await (const { text, where } of splitJson(bytes, file.name, { tolerant: true })) {
    const record = parseRecord(text, where, options, parse)
    if (record) yield record
  }
}
