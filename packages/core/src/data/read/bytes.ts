import { TextDecoder } from 'node:util'
import { createReadStream } from 'node:fs'
import { createGunzip } from 'node:zlib'
import { Decompress } from 'fzstd'
import { IftError } from '@ift/tensor'

type Chunks = AsyncIterable<Uint8Array>

const utf8 = new Set(['utf-8', 'utf8', 'unicode-1-1-utf-8'])

async function* fromFile(path: string): Chunks {
  try {
    for await (const chunk of createReadStream(path, { highWaterMark: 1 << 20 })) yield chunk as Uint8Array
  } catch (cause) {
    const missing = (cause as NodeJS.ErrnoException).code === 'ENOENT'
    throw new IftError(
      missing ? 'IFT_SOURCE_NOT_FOUND' : 'IFT_SOURCE_UNREADABLE',
      missing ? `${path}: no such file.` : `${path}: ${(cause as Error).message}`,
      missing ? 'Check the path; relative paths start at the folder of the config file.' : undefined,
      { cause },
    )
  }
}

const corrupt = (path: string, kind: string, cause: unknown) =>
  new IftError(
    'IFT_FILE_CORRUPT',
    `${path}: broken ${kind} data: ${cause instanceof Error ? cause.message : String(cause)}`,
    'Fetch or compress the file again; it may have been cut off.',
    { cause },
  )

async function* gunzip(path: string, input: Chunks): Chunks {
  const stream = createGunzip()
  // Errors of the input are thrown by this pump, errors of the data by the loop below.
  const pump = (async () => {
    for await (const chunk of input)
      if (!stream.write(chunk) && !stream.destroyed)
        await new Promise<void>((done) => {
          stream.once('drain', done).once('close', done)
        })
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
  const ready: Uint8Array[] = []
  let ended = false
  const stream = new Decompress((data, final) => {
    if (data.length > 0) ready.push(data)
    ended ||= final === true
  })
  const push = (chunk: Uint8Array, final: boolean) => {
    try {
      stream.push(chunk, final)
    } catch (cause) {
      throw corrupt(path, 'zstd', cause)
    }
    return ready.splice(0)
  }
  for await (const chunk of input) yield* push(chunk, false)
  yield* push(new Uint8Array(0), true)
  if (!ended) throw corrupt(path, 'zstd', new Error('unexpected end of data'))
}

/** Turns any encoding into UTF-8 and drops a byte order mark. UTF-8 itself passes through unchecked. */
async function* toUtf8(path: string, encoding: string, input: Chunks): Chunks {
  let decoder: TextDecoder | null = null
  const encoder = new TextEncoder()
  let started = false
  let head = new Uint8Array(0)
  const begin = (bytes: Uint8Array): Uint8Array => {
    started = true
    const [a, b, c] = bytes
    const marked = a === 0xff && b === 0xfe ? 'utf-16le' : a === 0xfe && b === 0xff ? 'utf-16be' : null
    if (a === 0xef && b === 0xbb && c === 0xbf) return bytes.subarray(3)
    const name = marked ?? encoding.toLowerCase()
    if (!utf8.has(name))
      try {
        decoder = new TextDecoder(name, { fatal: true })
      } catch (cause) {
        throw new IftError(
          'IFT_DATA_ENCODING',
          `${path}: unknown encoding "${encoding}".`,
          'Use a name of the WHATWG list: utf-8, gb18030, big5, shift_jis, utf-16le, windows-1252.',
          { cause },
        )
      }
    return bytes
  }
  const convert = (bytes: Uint8Array, last: boolean): Uint8Array => {
    if (!decoder) return bytes
    try {
      return encoder.encode(decoder.decode(bytes, { stream: !last }))
    } catch (cause) {
      throw new IftError(
        'IFT_DATA_ENCODING',
        `${path}: the file is not ${decoder.encoding}.`,
        'Set `encoding`.',
        {
          cause,
        },
      )
    }
  }
  for await (const chunk of input) {
    let bytes = chunk
    if (!started) {
      if (head.length > 0 || chunk.length < 3) {
        head = new Uint8Array(Buffer.concat([head, chunk]))
        if (head.length < 3) continue
        bytes = head
      }
      bytes = begin(bytes)
    }
    if (bytes.length > 0) yield convert(bytes, false)
  }
  if (!started) yield convert(begin(head), true)
  else if (decoder) yield convert(new Uint8Array(0), true)
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
