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
const { path, byteLength, library, parts, compressors: codecs, mostFooter, mostPiece, mostPage, mostRows, batchBytes } = workerData
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
let metadata, tree, columns, groupRows, taken, rowsAtOnce
let lib
/** A value without the page that it was cut from, all of which would be sent with it. */
const apart = (value) => value instanceof Uint8Array ? value.slice() : Array.isArray(value) ? value.map(apart) : value
/** Values of one leaf column of a row group, page by page: no more of it is in memory than the pages of the rows that are asked for. */
class Leaf {
  constructor(meta, compressors) {
    const path = meta.path_in_schema
    const schemaPath = lib.getTreePath(tree, path)
    this.name = path.join('.')
    this.decoder = {
      pathInSchema: path, element: schemaPath[schemaPath.length - 1].element, schemaPath, compressors, ...meta,
      parsers: { ...lib.DEFAULT_PARSERS, ...parsers },
    }
    this.at = Number(meta.dictionary_page_offset || meta.data_page_offset)
    this.end = this.at + Number(meta.total_compressed_size)
    // Of the last page: all values, and how many of them were taken.
    this.rows = []
    this.first = 0
    this.bytes = meta.type === 'BYTE_ARRAY' || meta.type === 'FIXED_LEN_BYTE_ARRAY'
    this.dictionary = undefined
    this.window = new DataView(new ArrayBuffer(0))
    this.windowAt = this.at
  }
  /** A reader of at least so many bytes from where the column was read to, or of all that it has left. */
  async reader(bytes) {
    const from = this.at - this.windowAt
    if (this.window.byteLength - from < Math.min(bytes, this.end - this.at)) {
      this.window = new DataView(await file.slice(this.at, Math.min(this.end, this.at + Math.max(bytes, 1 << 20))))
      this.windowAt = this.at
    }
    return { view: this.window, offset: this.at - this.windowAt }
  }
  async page() {
    this.rows.splice(0, this.first)
    this.first = 0
    let reader, header
    for (let bytes = 1 << 12; header === undefined; bytes *= 4) {
      reader = await this.reader(bytes)
      try {
        header = lib.parquetHeader(reader)
      } catch (error) {
        if (!(error instanceof RangeError) || bytes >= this.end - this.at) throw error
      }
    }
    const size = header.compressed_page_size
    const start = reader.offset + this.windowAt
    if (!(size >= 0 && start + size <= this.end)) throw new Error('a page of column "' + this.name + '" goes beyond its end')
    this.at = start
    reader = await this.reader(size)
    const count = (header.data_page_header || header.data_page_header_v2 || { num_values: 1 }).num_values
    if (header.type !== 'INDEX_PAGE' && count !== 0) {
      const { data, skipped } = lib.readPage(reader, header, this.decoder, this.dictionary, this.rows, 0)
      if (skipped) throw new Error('a page of column "' + this.name + '" counts values below 0')
      if (header.type === 'DICTIONARY_PAGE') this.dictionary = lib.convert(data, this.decoder)
      else if (data !== this.rows) for (const value of data) this.rows.push(value)
    }
    this.at = start + size
  }
  async take(count) {
    // The last row may go on in the next page.
    while (this.rows.length - this.first <= count && this.at < this.end - 1) await this.page()
    const left = this.rows.length - this.first
    if (left < count) throw new Error('column "' + this.name + '" has ' + (taken + left) + ' rows of ' + groupRows)
    const values = this.rows.slice(this.first, this.first + count)
    this.rows.fill(undefined, this.first, (this.first += count))
    return this.bytes ? values.map(apart) : values
  }
}
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
    lib = Object.assign({}, ...(await Promise.all(parts.map((part) => import(part)))))
    tree = lib.parquetSchema(metadata)
  },
  async group(index) {
    const all = (await import(codecs)).compressors
    const compressors = Object.fromEntries(Object.entries(all).map(([name, decompress]) => [name, (input, length) => {
      if (!(length <= mostPage)) throw new Error('a page of it would have ' + length + ' bytes')
      return decompress(input, length)
    }]))
    const { columns: chunks, num_rows } = metadata.row_groups[index]
    const metas = chunks.map((chunk) => {
      if (chunk.file_path) throw new Error('its columns lie in other files')
      if (!chunk.meta_data) throw new Error('a column says nothing about its type')
      return chunk.meta_data
    })
    const bytes = metas.reduce((sum, meta) => sum + Number(meta.total_uncompressed_size), 0)
    groupRows = Number(num_rows)
    taken = 0
    rowsAtOnce = Math.max(1, Math.min(mostRows, Math.floor(batchBytes / (bytes / Math.max(groupRows, 1) + 1))))
    columns = tree.children.map((child) => ({
      child, leaves: metas.filter((meta) => meta.path_in_schema[0] === child.element.name).map((meta) => new Leaf(meta, compressors)),
    }))
  },
  async more() {
    const count = Math.min(rowsAtOnce, groupRows - taken)
    const rows = Array.from({ length: count }, () => ({}))
    for (const { child, leaves } of columns) {
      const name = child.element.name
      const values = new Map()
      for (const leaf of leaves) values.set(leaf.name, await leaf.take(count))
      if (child.children.length > 0 && leaves.length > 0) lib.assembleNested(values, child, leaves[0].decoder.parsers)
      const column = values.get(name)
      if (!column || column.length !== count) throw new Error('column "' + name + '" cannot be put together')
      for (let i = 0; i < count; i++) rows[i][name] = column[i]
    }
    taken += count
    return rows
  },
}
parentPort.on('message', ({ call, value }) => {
  answers[call](value).then(
    (result) => parentPort.postMessage({ result }),
    (error) => parentPort.postMessage({ error: String(error && error.message || error) }),
  )
})`

/**
 * Rows that the thread hands over at once: about as many as are tokenised in one call. All of them are alive while the first ones are
 * used, and with thousands the collector would take them for long-lived and let them pile up.
 */
export const mostPieceRows = 256
/** Bytes of them, from the mean of their row group. */
export const pieceBytes = 256 << 10
/** Of the thread, which makes little beside one page; by default V8 would let it fill 48. */
const youngMiB = 12

const tooMuch = () =>
  new Error(`reading it takes more than ${mostParquetMemory >> 20} MiB: write it with smaller row groups`)

type Row = Readonly<Record<string, unknown>>

/** A Parquet file that is being read. Errors are plain ones, of what is wrong with the file. */
export class ParquetFile {
  readonly #worker: Worker
  /** Why it ended. */
  #ended: Error | null = null
  /** Ends the call that is waited for. No promise outlives its call: one that all of them were raced with would keep their rows. */
  #refuse: (error: Error) => void = () => undefined

  private constructor(worker: Worker) {
    this.#worker = worker
    worker.on('error', (error) => {
      this.#lose('code' in error && error.code === 'ERR_WORKER_OUT_OF_MEMORY' ? tooMuch() : error)
    })
    worker.on('exit', () => {
      this.#lose(new Error('it could not be read'))
    })
  }

  #lose(error: Error): void {
    this.#ended ??= error
    this.#refuse(this.#ended)
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
      // Of the version that is installed: these parts of the library read single pages.
      parts: ['column', 'convert', 'schema', 'assemble', 'index'].map((part) =>
        resolve(`hyparquet/src/${part}.js`),
      ),
      mostRows: mostPieceRows,
      batchBytes: pieceBytes,
    }
    const resourceLimits = {
      maxOldGenerationSizeMb: mostParquetMemory >> 20,
      maxYoungGenerationSizeMb: youngMiB,
    }
    return new ParquetFile(new Worker(program, { eval: true, workerData, resourceLimits, execArgv: [] }))
  }

  footer(): Promise<FileMetaData> {
    return this.#call('footer') as Promise<FileMetaData>
  }

  /** The footer that rows are read by. */
  async use(metadata: FileMetaData): Promise<void> {
    await this.#call('metadata', metadata)
  }

  /** The `count` rows of a row group in pieces; the next one is put together when it is asked for. */
  async *pieces(group: number, count: number): AsyncGenerator<readonly Row[]> {
    await this.#call('group', group)
    for (let left = count; left > 0;) {
      const piece = (await this.#call('more')) as Row[]
      yield piece
      left -= piece.length
    }
  }

  async #call(call: string, value?: unknown): Promise<unknown> {
    if (this.#ended) throw this.#ended
    const answer = new Promise<{ result?: unknown; error?: string }>((resolve, reject) => {
      this.#worker.once('message', resolve)
      this.#refuse = reject
    })
    // Arrays of numbers lie beside the memory that V8 counts.
    const before = process.memoryUsage.rss()
    const watch = setInterval(() => {
      if (process.memoryUsage.rss() - before <= mostParquetMemory) return
      this.#lose(tooMuch())
      void this.#worker.terminate()
    }, 20)
    try {
      this.#worker.postMessage({ call, value })
      const { result, error } = await answer
      if (error !== undefined) throw new Error(error)
      return result
    } finally {
      clearInterval(watch)
      this.#refuse = () => undefined
    }
  }

  async close(): Promise<void> {
    await this.#worker.terminate()
  }
}
