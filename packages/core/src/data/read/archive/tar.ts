import { ReadableStream } from 'node:stream/web'
import { unsupported } from '../../../files/errors.js'
import { decompressed } from '../decompress.js'
import { fileOnDisk, type Chunks } from '../record-file.js'
import { entryName } from '../../../files/data-names.js'
import { brokenArchive, EntryNames, type ArchiveEntry } from './entry.js'

/**
 * Files of a tar archive (ustar, pax, GNU), plain or compressed with gzip or zstd, in its order. It is one stream: an entry is read once,
 * before the next one is asked for, or passed over. Links and devices are passed over.
 */
export async function* tarEntries(archive: string): AsyncGenerator<ArchiveEntry> {
  // Loaded by the first archive: a run on other data starts without it.
  const { createTarDecoder } = await import('modern-tar')
  const names = new EntryNames(archive)
  const stop = new AbortController()
  // Its errors come out of the entries, unchanged.
  const entries = ReadableStream.from(decompressed(fileOnDisk(archive))).pipeThrough(
    createTarDecoder({ strict: true }),
    { signal: stop.signal },
  )
  let current = archive
  try {
    for await (const { header, body } of entries) {
      const inside = names.take(header.name, header.type === 'file')
      current = entryName(archive, inside)
      const name = current
      const state = { isRead: false }
      if (header.type === 'file') {
        if (Object.keys(header.pax ?? {}).some((key) => key.startsWith('GNU.sparse.')))
          throw unsupported(name, 'a sparse file', 'Make the archive again, with its files written in full.')
        const read = async function* (): Chunks {
          state.isRead = true
          try {
            for await (const chunk of body) yield chunk
          } catch (cause) {
            throw brokenArchive(name, cause)
          }
        }
        yield { name, path: null, inside, bytes: read }
      }
      if (!state.isRead) await body.cancel()
    }
  } catch (cause) {
    throw brokenArchive(current, cause)
  } finally {
    stop.abort()
  }
}
