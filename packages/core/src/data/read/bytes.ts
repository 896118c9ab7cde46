import { TextDecoder } from 'node:util'
import { IftError } from '@ift/tensor'
import { decompressed } from './decompress.js'
import { WrongEncoding, zerosOf } from './encodings.js'
import type { ReadOptions } from './record.js'
import { fileOnDisk, type Chunks, type RecordFile } from './record-file.js'

const utf8 = new Set(['utf-8', 'utf8', 'unicode-1-1-utf-8'])

/** The decoder of a file whose first bytes are known; null for UTF-8, which passes through unchecked. */
function decoderFor(path: string, encoding: string, fatal: boolean, [a, b]: Uint8Array): TextDecoder | null {
  const marked = a === 0xff && b === 0xfe ? 'utf-16le' : a === 0xfe && b === 0xff ? 'utf-16be' : null
  const name = marked ?? encoding.toLowerCase()
  if (utf8.has(name)) return null
  try {
    return new TextDecoder(name, { fatal })
  } catch (cause) {
    throw new IftError(
      'IFT_DATA_ENCODING',
      `${path}: unknown encoding "${encoding}".`,
      'Use a name of the WHATWG list: utf-8, gb18030, big5, shift_jis, utf-16le, windows-1252.',
      { cause },
    )
  }
}

const newline = 0x0a

const decodes = (encoding: string, bytes: Uint8Array): boolean => {
  try {
    new TextDecoder(encoding, { fatal: true }).decode(bytes)
    return true
  } catch {
    return false
  }
}

/** Decodes a file chunk by chunk, and knows the line of what it cannot decode. */
class LineDecoder {
  readonly #name: string
  readonly #decoder: TextDecoder
  readonly #encoder = new TextEncoder()
  #line = 1
  /** The end of what was decoded, from the start of a character on, with the one that may go on in the next chunk. */
  #tail: Uint8Array = new Uint8Array(0)

  constructor(name: string, decoder: TextDecoder) {
    this.#name = name
    this.#decoder = decoder
  }

  /** UTF-8 of the next bytes. */
  convert(bytes: Uint8Array, stream = true): Uint8Array {
    let text: string
    try {
      text = this.#decoder.decode(bytes, { stream })
    } catch (cause) {
      throw new WrongEncoding(
        this.#decoder.encoding,
        `${this.#name}:${this.#line + this.#linesBefore(bytes)}`,
        'Set `encoding` to that of the file, or leave it out for UTF-8.',
        cause,
      )
    }
    this.#line += linesOf(text)
    this.#tail = this.#tailOf(bytes)
    return this.#encoder.encode(text)
  }

  /** A copy: the chunk is filled again. */
  #tailOf(bytes: Uint8Array): Uint8Array {
    const { encoding } = this.#decoder
    const isUtf16 = encoding.startsWith('utf-16')
    // The byte of a line end is no part of another character but in UTF-16.
    const last = isUtf16 ? -1 : bytes.lastIndexOf(newline)
    const rest = last < 0 ? Buffer.concat([this.#tail, bytes]) : Buffer.from(bytes.subarray(last + 1))
    // Without the characters that are whole: four bytes at most are one.
    for (let open = 0; open < Math.min(4, rest.length); open++)
      if (decodes(encoding, rest.subarray(0, rest.length - open))) return rest.subarray(rest.length - open)
    return rest
  }

  /** Line ends in front of the first byte that does not fit. */
  #linesBefore(bytes: Uint8Array): number {
    const { encoding } = this.#decoder
    const rest = Buffer.concat([this.#tail, bytes])
    const prefix = (length: number) =>
      new TextDecoder(encoding, { fatal: true }).decode(rest.subarray(0, length), { stream: true })
    let [fits, fails] = [0, rest.length]
    while (fits < fails) {
      const length = Math.ceil((fits + fails) / 2)
      try {
        prefix(length)
        fits = length
      } catch {
        fails = length - 1
      }
    }
    return linesOf(prefix(fits))
  }
}

const linesOf = (text: string) => text.split('\n').length - 1

/** Turns any encoding into UTF-8 and drops a byte order mark. */
async function* toUtf8(path: string, encoding: string, fatal: boolean, input: Chunks): Chunks {
  const chunks = input[Symbol.asyncIterator]()
  let head: Uint8Array = new Uint8Array(0)
  let done = false
  try {
    while (!done && head.length < 3) {
      const next = await chunks.next()
      done = next.done === true
      if (next.done !== true) head = head.length === 0 ? next.value : Buffer.concat([head, next.value])
    }
    const isMarked = head[0] === 0xef && head[1] === 0xbb && head[2] === 0xbf
    const textDecoder = isMarked ? null : decoderFor(path, encoding, fatal, head)
    if (!textDecoder && zerosOf(head) !== null)
      throw new WrongEncoding('utf-8', `${path}:1`, 'It looks like UTF-16.')
    const decoder = textDecoder && new LineDecoder(path, textDecoder)
    if (isMarked) head = head.subarray(3)
    if (head.length > 0) yield decoder ? decoder.convert(head) : head
    while (!done) {
      const next = await chunks.next()
      done = next.done === true
      if (next.done !== true) yield decoder ? decoder.convert(next.value) : next.value
    }
    if (decoder) yield decoder.convert(new Uint8Array(0), false)
  } finally {
    await chunks.return?.()
  }
}

/** Decompressed UTF-8 bytes of a data file. */
export const openBytes = (
  file: string | RecordFile,
  { encoding = 'utf-8', undecodable = 'refuse' }: Pick<ReadOptions, 'encoding' | 'undecodable'> = {},
): Chunks => {
  const from = typeof file === 'string' ? fileOnDisk(file) : file
  return toUtf8(from.name, encoding, undecodable === 'refuse', decompressed(from))
}

const decoder = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true })

/** Text of one record; says where and which encoding to try when it is not UTF-8. */
export function decodeUtf8(bytes: Uint8Array, where: string): string {
  try {
    return decoder.decode(bytes)
  } catch (cause) {
    throw new WrongEncoding(
      'utf-8',
      where,
      'Set the encoding of the file; for Chinese text it is usually `encoding: gb18030`.',
      cause,
    )
  }
}
