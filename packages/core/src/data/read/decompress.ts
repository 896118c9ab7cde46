import { createGunzip } from 'node:zlib'
import { IftError } from '@ift/tensor'
import { mostZstdWork } from '../../files/bounds.js'
import { corrupt as corruptFile, unsupported } from '../../files/errors.js'
import type { Chunks, RecordFile } from './record-file.js'
import { zstdBlocks } from './zstd-blocks.js'

const corrupt = (name: string, kind: string, cause: unknown) =>
  corruptFile(
    name,
    `broken ${kind} data: ${cause instanceof Error ? cause.message : String(cause)}`,
    'Fetch or compress the file again; it may have been cut off.',
    cause,
  )

async function* gunzip(name: string, input: Chunks): Chunks {
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
    throw cause instanceof IftError ? cause : corrupt(name, 'gzip', cause)
  } finally {
    stream.destroy()
  }
}

async function* unzstd(name: string, input: Chunks): Chunks {
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
      throw corrupt(name, 'zstd', cause)
    }
    const made = ready
    ready = []
    return made
  }
  let wasted = 0
  for await (const { bytes, work } of zstdBlocks(name, input)) {
    const made = push(bytes, false)
    const length = made.reduce((sum, part) => sum + part.length, 0)
    if (length * 1000 < work) wasted += work
    if (wasted > mostZstdWork)
      throw unsupported(
        name,
        'its zstd data is cut into blocks of a few bytes, which take too long to read',
        'Compress the file again: zstd -d < FILE.zst | zstd > NEW.zst',
      )
    yield* made
  }
  yield* push(new Uint8Array(0), true)
  if (!frame.ended) throw corrupt(name, 'zstd', new Error('unexpected end of data'))
}

/** Bytes of a file after decompression, which its name tells. */
export function decompressed({ name, bytes }: RecordFile): Chunks {
  if (/\.t?gz$/i.test(name)) return gunzip(name, bytes())
  return /\.t?zst$/i.test(name) ? unzstd(name, bytes()) : bytes()
}
