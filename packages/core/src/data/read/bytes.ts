import { TextDecoder } from 'node:util'
import { IftError } from '@ift/tensor'
import { decompressed } from './decompress.js'
import { fileOnDisk, type Chunks, type RecordFile } from './record-file.js'

const utf8 = new Set(['utf-8', 'utf8', 'unicode-1-1-utf-8'])

/** The decoder of a file whose first bytes are known; null for UTF-8, which passes through unchecked. */
function decoderFor(path: string, encoding: string, [a, b]: Uint8Array): TextDecoder | null {
  const marked = a === 0xff && b === 0xfe ? 'utf-16le' : a === 0xfe && b === 0xff ? 'utf-16be' : null
  const name = marked ?? encoding.toLowerCase()
  if (utf8.has(name)) return null
  try {
    return new TextDecoder(name, { fatal: true })
  } catch (cause) {
    throw new IftError(
      'IFT_DATA_ENCODING',
      `${path}: unknown encoding "${encoding}".`,
      'Use a name of the WHATWG list: utf-8, gb18030, big5, shift_jis, utf-16le, windows-1252.',
      { cause },
    )
  }
}

/** Turns any encoding into UTF-8 and drops a byte order mark. */
async function* toUtf8(path: string, encoding: string, input: Chunks): Chunks {
  const encoder = new TextEncoder()
  const convert = (decoder: TextDecoder, bytes: Uint8Array, stream: boolean): Uint8Array => {
    try {
      return encoder.encode(decoder.decode(bytes, { stream }))
    } catch (cause) {
      throw new IftError(
        'IFT_DATA_ENCODING',
        `${path}: the file is not ${decoder.encoding}.`,
        'Set `encoding` to that of the file, or leave it out for UTF-8.',
        { cause },
      )
    }
  }
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
    const decoder = isMarked ? null : decoderFor(path, encoding, head)
    if (isMarked) head = head.subarray(3)
    if (head.length > 0) yield decoder ? convert(decoder, head, true) : head
    while (!done) {
      const next = await chunks.next()
      done = next.done === true
      if (next.done !== true) yield decoder ? convert(decoder, next.value, true) : next.value
    }
    if (decoder) yield convert(decoder, new Uint8Array(0), false)
  } finally {
    await chunks.return?.()
  }
}

/** Decompressed UTF-8 bytes of a data file. */
export const openBytes = (file: string | RecordFile, encoding = 'utf-8'): Chunks => {
  const from = typeof file === 'string' ? fileOnDisk(file) : file
  return toUtf8(from.name, encoding, decompressed(from))
}

const decoder = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true })

/** Text of one record; says where and which encoding to try when it is not UTF-8. */
export function decodeUtf8(bytes: Uint8Array, where: string): string {
  try {
    return decoder.decode(bytes)
  } catch (cause) {
    throw new IftError(
      'IFT_DATA_ENCODING',
      `${where}: the file is not UTF-8.`,
      'Set the encoding of the file; for Chinese text it is usually `encoding: gb18030`.',
      { cause },
    )
  }
}
