import { TextDecoder } from 'node:util'
import { createGunzip } from 'node:zlib'
import { IftError } from '@ift/tensor'
import { mostZstdWork } from '../../files/bounds.js'
import { corrupt as corruptFile, readFailed, unsupported } from '../../files/errors.js'
import { streamRegular } from '../../files/regular-file.js'
import { zstdBlocks } from './zstd-blocks.js'

type Chunks = AsyncIterable<Uint8Array>

const utf8 = new Set(['utf-8', 'utf8', 'unicode-1-1-utf-8'])

async function* fromFile(path: string): Chunks {
  try {
    yield* streamRegular(path)
  } catch (cause) {
    throw dataFailed(path, cause)
  }
}

/** An error of the file system while data are read; relative paths of data begin elsewhere than those of other files. */
export function dataFailed(path: string, cause: unknown): unknown {
  const error = readFailed(path, cause)
  if (!(error instanceof IftError)) return error
  if (error.code === 'IFT_FILE_NOT_FOUND')
    return new IftError(
      'IFT_SOURCE_NOT_FOUND',
      `${path}: no such file or folder.`,
      'Check the path; relative paths start at the folder of the config file.',
      { cause: error.cause },
    )
  if (error.code === 'IFT_FILE_UNREADABLE')
    return new IftError('IFT_SOURCE_UNREADABLE', error.message, 'Check who may read it.', {
      cause: error.cause,
    })
  return error
}

const corrupt = (path: string, kind: string, cause: unknown) =>
  corruptFile(
    path,
    `broken ${kind} data: ${cause instanceof Error ? cause.message : String(cause)}`,
    'Fetch or compress the file again; it may have been cut off.',
    cause,
  )

async function* gunzip(path: string, input: Chunks): Chunks {
  const stream = createGunzip()
  // Errors of the input are thrown by this pump, errors of the data by the loop below.
  const pump = (async () => {
    for await (const chunk of input) {
      if (!stream.write(chunk) && !stream.destroyed)
        await new Promise<void>((done) => {
          stream.once('drain', done).once('close', done)
        })
      // Nobody reads on, and the file may be long.
      if (stream.destroyed) return
    }
    stream.end()
  })()
  pump.catch((cause: unknown) => stream.destroy(cause as Error))
  try {
    for await (const chunk of stream) yield chunk as Uint8Array
  } catch (cause) {
    throw cause instanceof IftError ? cause : corrupt(path, 'gzip', cause)
  } finally {
    stream.destroy()
  }
}

async function* unzstd(path: string, input: Chunks): Chunks {
  const { Decompress } = await import('fzstd')
  let ready: Uint8Array[] = []
  const frame = { ended: false }
  const stream = new Decompress((data, final) => {
    if (data.length > 0) ready.push(data)
    frame.ended ||= final === true
  })
  const push = (chunk: Uint8Array, final: boolean) => {
    try {
      stream.push(chunk, final)
    } catch (cause) {
      throw corrupt(path, 'zstd', cause)
    }
    const made = ready
    ready = []
    return made
  }
  let wasted = 0
  for await (const { bytes, work } of zstdBlocks(path, input)) {
    const made = push(bytes, false)
    const length = made.reduce((sum, part) => sum + part.length, 0)
    if (length * 1000 < work) wasted += work
    if (wasted > mostZstdWork)
      throw unsupported(
        path,
        'its zstd data is cut into blocks of a few bytes, which take too long to read',
        'Compress the file again: zstd -d < FILE.zst | zstd > NEW.zst',
      )
    yield* made
  }
  yield* push(new Uint8Array(0), true)
  if (!frame.ended) throw corrupt(path, 'zstd', new Error('unexpected end of data'))
}

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
  while (!done && head.length < 3) {
    const next = await chunks.next()
    done = next.done === true
    if (next.done !== true) head = head.length === 0 ? next.value : Buffer.concat([head, next.value])
  }
  const decoder =
    head[0] === 0xef && head[1] === 0xbb && head[2] === 0xbf ? null : decoderFor(path, encoding, head)
  if (head[0] === 0xef && head[1] === 0xbb && head[2] === 0xbf) head = head.subarray(3)
  try {
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

/** `file.jsonl.gz` is read as `file.jsonl`. */
export const withoutCompression = (path: string): string => path.replace(/\.(gz|zst)$/i, '')

/** Decompressed UTF-8 bytes of a data file. */
export function openBytes(path: string, encoding = 'utf-8'): Chunks {
  let chunks: Chunks = fromFile(path)
  if (/\.gz$/i.test(path)) chunks = gunzip(path, chunks)
  else if (/\.zst$/i.test(path)) chunks = unzstd(path, chunks)
  return toUtf8(path, encoding, chunks)
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
