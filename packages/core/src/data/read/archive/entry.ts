import { posix } from 'node:path'
import { IftError } from '@ift/tensor'
import { mostArchiveEntries, mostArchiveNameBytes } from '../../../files/bounds.js'
import { corrupt, hostile } from '../../../files/errors.js'
import type { RecordFile } from '../record-file.js'

/** An entry that holds a file, while its archive is gone through. */
export interface ArchiveEntry extends RecordFile {
  /** Its path inside. */
  readonly inside: string
}

/** Goes through the entries of one archive, and refuses what no archive of data has. */
export class EntryNames {
  readonly #archive: string
  #count = 0
  #bytes = 0
  readonly #files = new Set<string>()

  constructor(archive: string) {
    this.#archive = archive
  }

  /**
   * Path of the next entry, of a file or of something else: `IFT_FILE_HOSTILE` for one that leaves the archive, `IFT_FILE_CORRUPT` when there
   * are too many, or two files of one name, of which programs take one or the other.
   */
  take(name: string, isFile: boolean): string {
    this.#bytes += name.length
    if (++this.#count > mostArchiveEntries || this.#bytes > mostArchiveNameBytes)
      throw corrupt(
        this.#archive,
        `more than ${mostArchiveEntries} entries, or ${mostArchiveNameBytes >> 20} MiB of their names`,
        'Unpack it, and name the folder.',
      )
    const inner = name.replace(/^(\.\/+)+/, '')
    if (
      inner.startsWith('/') ||
      /^[A-Za-z]:/.test(inner) ||
      /[\\\0]/.test(inner) ||
      inner.split('/').includes('..')
    )
      throw hostile(
        this.#archive,
        `the entry ${JSON.stringify(name)} would lie outside of the archive`,
        'Do not unpack it either. Ask who made it for another one.',
      )
    const path = inner === '' ? '' : posix.normalize(inner)
    if (isFile && this.#files.has(path))
      throw corrupt(
        this.#archive,
        `two entries are named ${JSON.stringify(path)}`,
        'Unpack it, and name the folder: the last of the two is what remains.',
      )
    if (isFile) this.#files.add(path)
    return path
  }
}

/** A broken archive, or entry of one. */
export const brokenArchive = (name: string, cause: unknown): unknown =>
  cause instanceof IftError
    ? cause
    : corrupt(
        name,
        `broken archive: ${cause instanceof Error ? cause.message : String(cause)}`,
        'Fetch the archive again; it may have been cut off.',
        cause,
      )
