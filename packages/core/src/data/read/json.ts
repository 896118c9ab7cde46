import { IftError } from '@ift/tensor'
import { decodeUtf8, openBytes } from './bytes.js'
import { readJsonl } from './jsonl.js'
import { RecordBound } from './record-bound.js'
import { isRecord, parseRecord, type RawRecord, type ReadOptions } from './record.js'

const quote = 0x22
const backslash = 0x5c
const comma = 0x2c
const openBracket = 0x5b
const closeBracket = 0x5d
const openBrace = 0x7b
const closeBrace = 0x7d
const newline = 0x0a
const isSpace = (byte: number) => byte === 0x20 || byte === newline || byte === 0x0d || byte === 0x09

/**
 * JSON values one after another: the elements of a top-level array, or values written in a row. Only brackets and
 * strings are followed here, so a file may be larger than the longest string of the runtime.
 */
async function* splitValues(
  path: string,
  encoding: string | undefined,
): AsyncGenerator<{ text: string; where: string; inArray: boolean }> {
  let line = 1
  let inArray = false
  let closed = false
  let depth = 0
  let inString = false
  let escaped = false
  let start = -1
  let startLine = 1
  let pending: Uint8Array[] = []
  // In an array, whether an element is due (after '[' or ','), or a separator.
  let elementDue = true
  const bound = new RecordBound(path)

  const broken = (what: string, at = line) =>
    new IftError(
      'IFT_DATA_SYNTAX',
      `${path}:${at}: ${what}`,
      'The file must be one JSON array of records, or one record a line (JSONL).',
    )

  const finish = (last: Uint8Array) => {
    const bytes = pending.length === 0 ? last : Buffer.concat([...pending, last])
    pending = []
    bound.end()
    const where = `${path}:${startLine}`
    return { text: decodeUtf8(bytes, where), where, inArray }
  }

  for await (const chunk of openBytes(path, encoding)) {
    let ended = 0
    if (start >= 0) start = 0
    for (let i = 0; i < chunk.length; i++) {
      const byte = chunk[i]!
      if (byte === newline) line++
      if (inString) {
        if (escaped) escaped = false
        else if (byte === backslash) escaped = true
        else if (byte === quote) inString = false
        continue
      }
      if (start < 0) {
        if (isSpace(byte)) continue
        if (closed) throw broken('text after the end of the array.')
        if (!inArray && elementDue && byte === openBracket) {
          inArray = true
          continue
        }
        if (inArray && byte === closeBracket) {
          closed = true
          continue
        }
        if (inArray && byte === comma) {
          if (elementDue) throw broken('a comma where a record was expected.')
          elementDue = true
          continue
        }
        if (inArray && !elementDue)
          throw broken('expected a comma or the end of the array between two records.')
        elementDue = false
        start = i
        startLine = line
        depth = 0
      }
      if (byte === quote) inString = true
      else if (byte === openBrace || byte === openBracket) depth++
      else if (byte === closeBrace || byte === closeBracket) {
        if (depth === 0) {
          // The array ends right behind a bare value.
          yield finish(chunk.subarray(start, i))
          start = -1
          ended = i
          closed = true
          continue
        }
        if (--depth === 0) {
          yield finish(chunk.subarray(start, i + 1))
          start = -1
          ended = i
        }
      } else if (depth === 0 && (byte === comma || isSpace(byte))) {
        yield finish(chunk.subarray(start, i))
        start = -1
        ended = i
        elementDue = byte === comma
      }
    }
    if (start >= 0) pending.push(chunk.slice(start))
    // What of the chunk belongs to no record that ended in it.
    bound.add(start >= 0 ? chunk.length - start : chunk.length - ended, line)
  }
  if (start >= 0) {
    if (inArray || depth > 0 || inString)
      throw broken('the file ends inside a record; it may have been cut off.', startLine)
    yield finish(new Uint8Array(0))
  }
  if (inArray && !closed) throw broken('the file ends before the array does; it may have been cut off.')
}

/** Longest first line that is looked at to tell JSONL: a lone object behind it is read as what it is anyway. */
const longestFirstLine = 16 << 20

/** Whether the first line with text is a whole object and others follow: then the file is JSONL whatever its name says. */
async function isJsonl(path: string, encoding: string | undefined): Promise<boolean> {
  const line: Uint8Array[] = []
  let length = 0
  let whole = false
  const bound = new RecordBound(path)
  for await (const chunk of openBytes(path, encoding)) {
    bound.add(chunk.length, 1)
    let rest: Uint8Array = chunk
    if (!whole) {
      if (length === 0) {
        let begin = 0
        while (begin < rest.length && isSpace(rest[begin]!)) begin++
        if (begin === rest.length) continue
        if (rest[begin] !== openBrace) return false
        rest = rest.subarray(begin)
      }
      const end = rest.indexOf(newline)
      line.push(end < 0 ? rest.slice() : rest.subarray(0, end))
      length += line.at(-1)!.length
      if (end < 0 && length < longestFirstLine) continue
      if (end < 0 || !isWhole(Buffer.concat(line))) return false
      whole = true
      rest = rest.subarray(end)
    }
    // White space behind a value means nothing (RFC 8259, section 2).
    if (!rest.every(isSpace)) return true
  }
  return false
}

function isWhole(bytes: Uint8Array): boolean {
  try {
    JSON.parse(new TextDecoder().decode(bytes))
    return true
  } catch {
    return false
  }
}

/** A field that holds the records of a file that is one object, such as {"keywords": …, "example": [{…}, …]}. */
function wrapped(record: Readonly<Record<string, unknown>>): readonly Record<string, unknown>[] | null {
  const lists = Object.entries(record).filter(
    (entry): entry is [string, Record<string, unknown>[]] =>
      Array.isArray(entry[1]) && entry[1].length > 0 && entry[1].every(isRecord),
  )
  if (lists.length !== 1 || /^(messages|conversations?)$/.test(lists[0]![0])) return null
  return lists[0]![1]
}

/** A JSON array of records, records in a row, JSONL under the name .json, or one object that holds the records. */
export async function* readJson(path: string, options: ReadOptions = {}): AsyncGenerator<RawRecord> {
  if (await isJsonl(path, options.encoding)) {
    yield* readJsonl(path, options)
    return
  }
  let only: RawRecord | null = null
  let count = 0
  for await (const { text, where, inArray } of splitValues(path, options.encoding)) {
    const record = parseRecord(text, where, options)
    if (!record) continue
    // A lone object is held back until it is known to be alone.
    if (!inArray && count === 0) {
      only = record
      count = 1
      continue
    }
    if (only) yield only
    only = null
    count++
    yield record
  }
  if (!only) return
  const records = options.isExample?.(only.record) === true ? null : wrapped(only.record)
  if (!records) yield only
  else for (const [row, record] of records.entries()) yield { record, where: `${path}#${row + 1}` }
}
