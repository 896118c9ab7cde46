import { crc32 } from 'node:zlib'
import type { Entry, ZipFile } from 'yauzl'
import { IftError } from '@ift/tensor'
import { mostDeflateFactor } from '../../../files/bounds.js'
import { corrupt, hostile, unsupported } from '../../../files/errors.js'
import { fileSize } from '../../../files/read-bytes.js'
import { FileStamp, type Chunks } from '../record-file.js'
import { entryName } from '../../../files/data-names.js'
import { brokenArchive, EntryNames, type ArchiveEntry } from './entry.js'

async function* read(zip: ZipFile, entry: Entry, name: string): Chunks {
  if (entry.isEncrypted())
    throw unsupported(
      name,
      'the entry is encrypted',
      'Unpack the archive with its password, and name the folder.',
    )
  if (!entry.canDecodeFileData())
    throw unsupported(
      name,
      `the entry is compressed by method ${entry.compressionMethod}; stored (0) and deflate (8) are read`,
      'Unpack the archive and name the folder, or make it again: zip -r NEW.zip FOLDER',
    )
  try {
    let sum = 0
    for await (const chunk of await zip.openReadStreamPromise(entry)) {
      sum = crc32(chunk as Uint8Array, sum)
      yield chunk as Uint8Array
    }
    if (sum !== entry.crc32)
      throw corrupt(name, `its CRC-32 is ${sum.toString(16)}, expected ${entry.crc32.toString(16)}`)
  } catch (cause) {
    throw brokenArchive(name, cause)
  }
}

/** Systems that an archive was made on whose files have a mode (APPNOTE 4.4.2): Unix, and macOS. */
const unix = [3, 19]

/** Whether an entry is a file: what a link or a device holds are no records. */
function isRegular({ fileName, versionMadeBy, externalFileAttributes }: Entry): boolean {
  if (fileName === '' || fileName.endsWith('/')) return false
  const type = (externalFileAttributes >>> 16) & 0o170000
  return !unix.includes(versionMadeBy >>> 8) || type === 0 || type === 0o100000
}

/** Every entry, checked: a directory may list one piece of the file a million times. */
async function directory(archive: string, zip: ZipFile): Promise<ReadonlyMap<string, Entry>> {
  const names = new EntryNames(archive)
  const entries = new Map<string, Entry>()
  let bytes = 0
  for await (const entry of zip.eachEntry()) {
    const isFile = isRegular(entry)
    const inside = names.take(entry.fileName, isFile)
    if (!isFile) continue
    entries.set(inside, entry)
    bytes += entry.compressedSize
    if (bytes > zip.fileSize || entry.uncompressedSize > mostDeflateFactor * entry.compressedSize + 64)
      throw hostile(
        entryName(archive, inside),
        bytes > zip.fileSize
          ? 'its entries have more bytes than the archive, because they lie over each other'
          : `${entry.uncompressedSize} bytes out of ${entry.compressedSize}, more than deflate can make`,
        'Do not unpack it either. Ask who made it for another one.',
      )
  }
  return entries
}

/** Files of a zip archive (also zip64), in the order of its directory. Links and devices are passed over. */
export async function* zipEntries(archive: string): AsyncGenerator<ArchiveEntry> {
  // Loaded by the first archive: a run on other data starts without it.
  const { openPromise } = await import('yauzl')
  let zip: ZipFile | undefined
  try {
    await fileSize(archive)
    const stamp = await FileStamp.of(archive)
    zip = await openPromise(archive, { autoClose: false })
    for (const [inside, entry] of await directory(archive, zip)) {
      const name = entryName(archive, inside)
      const opened = zip
      yield { name, path: null, inside, bytes: () => read(opened, entry, name) }
    }
    await stamp.check()
  } catch (cause) {
    throw brokenArchive(archive, unsafeName(archive, cause))
  } finally {
    zip?.close()
  }
}

/** The library refuses names that leave the archive before anybody sees the entry. */
const unsafeName = (archive: string, cause: unknown): unknown =>
  cause instanceof Error &&
  !(cause instanceof IftError) &&
  /^(invalid relative path|absolute path|invalid characters in fileName)/.test(cause.message)
    ? hostile(
        archive,
        `an entry would lie outside of the archive: ${cause.message}`,
        'Do not unpack it either. Ask who made it for another one.',
      )
    : cause
