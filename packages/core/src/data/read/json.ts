import { openBytes } from './bytes.js'
import { Head } from './head.js'
import { parseLines } from './jsonl.js'
import { RecordBound } from './record-bound.js'
import type { Chunks, RecordFile } from './record-file.js'
import {
  isRecord,
  jsonParser,
  parseRecord,
  refuseValue,
  type JsonParser,
  type RawRecord,
  type ReadOptions,
} from './record.js'
import { isSpace, splitJson } from './split-json.js'

const openBrace = 0x7b
const newline = 0x0a

/** Most that is kept of a file to tell what it holds; a lone object behind it is read as what it is anyway. */
const longestHead = 16 << 20

/** Whether the first line with text is a whole object and others follow: then the file is JSONL whatever its name says. */
async function isJsonl(input: Chunks, name: string): Promise<boolean> {
  const line: Uint8Array[] = []
  let length = 0
  let whole = false
  const bound = new RecordBound(name)
  for await (const chunk of input) {
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
      line.push(end < 0 ? rest : rest.subarray(0, end))
      length += line.at(-1)!.length
      if (end < 0 && length < longestHead) continue
      if (end < 0 || parsed(Buffer.concat(line).toString()) === null) return false
      whole = true
      rest = rest.subarray(end)
    }
    // White space behind a value means nothing (RFC 8259, section 2).
    if (!rest.every(isSpace)) return true
  }
  return false
}

/** The value of a text that is probably JSON; null when it is none. */
function parsed(text: string, parse: JsonParser = JSON.parse): unknown {
  try {
    return parse(text)
  } catch {
    return null
  }
}

async function* upTo(bytes: number, input: Chunks): Chunks {
  let length = 0
  for await (const chunk of input) {
    yield chunk
    if ((length += chunk.length) >= bytes) return
  }
}

/**
 * Whether a file is one object of records by their ids, {"id1": {…}, "id2": {…}}: its first two values are objects, the first of them is an
 * example, and what holds them is none. The rest is not looked at, since it may be long.
 */
async function isKeyed(
  input: Chunks,
  name: string,
  { isExample, tolerant = false }: ReadOptions,
  parse: JsonParser,
): Promise<boolean> {
  if (!isExample) return false
  const first: Record<string, unknown> = {}
  try {
    for await (const { text, container } of splitJson(upTo(longestHead, input), name, {
      members: true,
      tolerant,
    })) {
      if (container !== 'object') return false
      const member = parsed(`{${text}}`, parse)
      if (!isRecord(member) || !Object.values(member).every(isRecord)) return false
      Object.assign(first, member)
      if (Object.keys(first).length === 2) break
    }
  } catch {
    // Its end is beyond what is looked at, or broken, which is told when it is read.
  }
  const [record] = Object.values(first)
  return isRecord(record) && isExample(record) && !isExample(first)
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

/** Records by their ids. The id is kept as the field `id` of a record that has none. */
async function* keyedRecords(
  input: Chunks,
  name: string,
  options: ReadOptions,
  parse: JsonParser,
): AsyncGenerator<RawRecord> {
  const { tolerant = false } = options
  for await (const { text, where } of splitJson(input, name, { members: true, tolerant })) {
    const member = parseRecord(`{${text}}`, where, options, parse)
    if (!member) continue
    const [[id, record]] = Object.entries(member.record) as [[string, unknown]]
    if (isRecord(record)) yield { record: 'id' in record ? record : { id, ...record }, where }
    else refuseValue(record, where, text, options)
  }
}

/** Records of a row of values or of one array, or of one object that holds them in its only list of objects. */
async function* valuesOf(
  input: Chunks,
  name: string,
  options: ReadOptions,
  parse: JsonParser,
): AsyncGenerator<RawRecord> {
  let only: RawRecord | null = null
  let count = 0
  for await (const { text, where, container } of splitJson(input, name, options)) {
    const record = parseRecord(text, where, options, parse)
    if (!record) continue
    // A lone object is held back until it is known to be alone.
    if (container === 'row' && count === 0) {
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
  else for (const [row, record] of records.entries()) yield { record, where: `${name}#${row + 1}` }
}

/** A JSON array of records, records in a row, JSONL under the name .json, or one object that holds the records in a list or by their ids. */
export async function* readJson(file: RecordFile, options: ReadOptions = {}): AsyncGenerator<RawRecord> {
  const { name } = file
  const parse = await jsonParser(options)
  const head = new Head(openBytes(file, options))
  try {
    if (options.tolerant !== true && (await isJsonl(head.peek(), name)))
      yield* parseLines(head.all(), name, options)
    else if (await isKeyed(head.peek(), name, options, parse))
      yield* keyedRecords(head.all(), name, options, parse)
    else yield* valuesOf(head.all(), name, options, parse)
  } finally {
    await head.close()
  }
}
