import { decodeUtf8, openBytes } from './bytes.js'
import { parseRecord, type RawRecord, type ReadOptions } from './record.js'

const newline = 0x0a

/** Non-empty lines of a file with their numbers, without line ends. Splits bytes, so a line may be of any length. */
export async function* readLines(
  path: string,
  encoding?: string,
): AsyncGenerator<{ bytes: Uint8Array; line: number }> {
  let line = 1
  let pending: Uint8Array[] = []
  const take = (last: Uint8Array): Uint8Array | null => {
    const bytes = pending.length === 0 ? last : Buffer.concat([...pending, last])
    pending = []
    return bytes.some((byte) => byte !== 0x20 && byte !== 0x09 && byte !== 0x0d) ? bytes : null
  }
  for await (const chunk of openBytes(path, encoding)) {
    let start = 0
    for (let end = chunk.indexOf(newline); end >= 0; end = chunk.indexOf(newline, start)) {
      const bytes = take(chunk.subarray(start, end))
      if (bytes) yield { bytes, line }
      line++
      start = end + 1
    }
    if (start < chunk.length) pending.push(chunk.slice(start))
  }
  const bytes = take(new Uint8Array(0))
  if (bytes) yield { bytes, line }
}

/** One JSON object a line; blank lines and CRLF are fine. */
export async function* readJsonl(path: string, options: ReadOptions = {}): AsyncGenerator<RawRecord> {
  for await (const { bytes, line } of readLines(path, options.encoding)) {
    const where = `${path}:${line}`
    const record = parseRecord(decodeUtf8(bytes, where), where, options)
    if (record) yield record
  }
}
