import { createRequire } from 'node:module'
import { pathToFileURL } from 'node:url'
import { Worker } from 'node:worker_threads'
import type { FileMetaData } from 'hyparquet'
import {
  mostParquetFooterBytes,
  mostParquetGroupBytes,
  mostParquetMemory,
  mostParquetPageBytes,
} from '../../files/bounds.js'
import { fileSize } from '../../files/read-bytes.js'

/**
 * Reads footer and rows in a thread of its own: plain Node, since it is started from its text. The library makes arrays as long as the file
 * says, and leaves promises alone when it fails; here both end the thread and nothing else.
 */
const program = `
const { parentPort, workerData } = require('node:worker_threads')
const { open } = require('node:fs/promises')
const { path, byteLength, library, compressors: codecs, mostFooter, mostPiece, mostPage, rowsAtOnce } = workerData
const utf8 = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true })
const time = (digits, perMilli) => (units) => {
  const part = ((units % perMilli) + perMilli) % perMilli
  const iso = new Date(Number((units - part) / perMilli)).toISOString()
  return part === 0n ? iso : iso.replace('Z', String(part).padStart(digits - 3, '0') + 'Z')
}
// Bytes that are no text stay bytes, and whoever needs a text refuses them. Times keep what is below milliseconds.
const parsers = {
  stringFromBytes(bytes) {
    if (!bytes) return bytes
    try { return utf8.decode(bytes) } catch { return bytes }
  },
  jsonFromBytes: (bytes) => bytes && utf8.decode(bytes),
  timestampFromMicroseconds: time(6, 1000n),
  timestampFromNanoseconds: time(9, 1000000n),
}
const file = {
  byteLength,
  async slice(start, end = byteLength) {
    if (!(start >= 0 && end >= start && end <= byteLength && end - start <= mostPiece))
      throw new Error('it would read bytes ' + start + ' to ' + end + ' of ' + byteLength + ' at once')
    const handle = await open(path, 'r')
    try {
      const bytes = new Uint8Array(end - start)
      for (let at = 0; at < bytes.length;) {
        const { bytesRead } = await handle.read(bytes, at, Math.min(bytes.length - at, 1 << 28), start + at)
        if (bytesRead === 0) throw new Error('it ends at byte ' + (start + at))
        at += bytesRead
      }
      return bytes.buffer
    } finally {
      await handle.close()
    }
  },
}
let metadata, compressors, rows = [], at = 0
const answers = {
  async footer() {
    const { parquetMetadataAsync } = await import(library)
    if (byteLength >= 8) {
      const length = new DataView(await file.slice(byteLength - 8)).getUint32(0, true)
      if (length > mostFooter) throw new Error('its footer would have ' + length + ' bytes')
    }
    // Nothing here reads places on maps, and a broken footer makes the search for them endless.
    return parquetMetadataAsync(file, { geoparquet: false })
  },
  async metadata(value) {
    metadata = value
    const all = (await import(codecs)).compressors
    compressors = Object.fromEntries(Object.entries(all).map(([name, decompress]) => [name, (input, length) => {
      if (!(length <= mostPage)) throw new Error('a page of it would have ' + length + ' bytes')
      return decompress(input, length)
    }]))
  },
  async group({ start, end }) {
    const { parquetReadObjects } = await import(library)
    rows = await parquetReadObjects({ file, metadata, compressors, parsers, rowStart: start, rowEnd: end })
    at = 0
    return rows.length
  },
  async more() {
    const part = rows.slice(at, at + rowsAtOnce)
    at += part.length
    if (at >= rows.length) rows = []
    return part
  },
}
parentPort.on('message', ({ call, value }) => {
  answers[call](value).then(
    (result) => parentPort.postMessage({ result }),
    (error) => parentPort.postMessage({ error: String(error && error.message || error) }),
  )
})`

const tooMuch = () =>
  new Error(`reading it takes more than ${mostParquetMemory >> 20} MiB: write it with smaller row groups`)

type Row = Readonly<Record<string, unknown>>

/** A Parquet file that is being read. Errors are plain ones, of what is wrong with the file. */
export class ParquetFile {
  readonly #worker: Worker
  /** Its end, with a reason. */
  readonly #ended: Promise<never>
  #lose: (error: Error) => void = () => undefined

  private constructor(worker: Worker) {
    this.#worker = worker
    this.#ended = new Promise((_, reject) => (this.#lose = reject))
    this.#ended.catch(() => undefined)
    worker.on('error', (error) => {
      this.#lose('code' in error && error.code === 'ERR_WORKER_OUT_OF_MEMORY' ? tooMuch() : error)
    })
    worker.on('exit', () => {
      this.#lose(new Error('it could not be read'))
    })
  }

  static async open(path: string): Promise<ParquetFile> {
    const resolve = (name: string) => pathToFileURL(createRequire(import.meta.url).resolve(name)).href
    const workerData = {
      path,
      byteLength: await fileSize(path),
      library: resolve('hyparquet'),
      compressors: resolve('hyparquet-compressors'),
      mostFooter: mostParquetFooterBytes,
      mostPiece: mostParquetGroupBytes,
      mostPage: mostParquetPageBytes,
      rowsAtOnce: 4096,
    }
    const resourceLimits = { maxOldGenerationSizeMb: mostParquetMemory >> 20 }
    return new ParquetFile(new Worker(program, { eval: true, workerData, resourceLimits, execArgv: [] }))
  }

  footer(): Promise<FileMetaData> {
    return this.#call('footer') as Promise<FileMetaData>
  }

  /** The footer that rows are read by. */
  async use(metadata: FileMetaData): Promise<void> {
    await this.#call('metadata', metadata)
  }

  /** Rows `start` to `end`, which are a row group; the error of a group with another number of rows. */
  async *rows(start: number, end: number): AsyncGenerator<Row> {
    const count = (await this.#call('group', { start, end })) as number
    if (count !== end - start)
      throw new Error(`${end - start} rows from row ${start + 1} on are said to be there, ${count} are`)
    for (let left = count; left > 0;) {
      const part = (await this.#call('more')) as Row[]
      yield* part
      left -= part.length
    }
  }

  async #call(call: string, value?: unknown): Promise<unknown> {
    const answer = new Promise<{ result?: unknown; error?: string }>((done) =>
      this.#worker.once('message', done),
    )
    // Arrays of numbers lie beside the memory that V8 counts.
    const before = process.memoryUsage.rss()
    const watch = setInterval(() => {
      if (process.memoryUsage.rss() - before <= mostParquetMemory) return
      this.#lose(tooMuch())
      void this.#worker.terminate()
    }, 20)
    try {
      this.#worker.postMessage({ call, value })
      const { result, error } = await Promise.race([answer, this.#ended])
      if (error !== undefined) throw new Error(error)
      return result
    } finally {
      clearInterval(watch)
    }
  }

  async close(): Promise<void> {
    await this.#worker.terminate()
  }
}
