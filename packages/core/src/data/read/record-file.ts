import { stat } from 'node:fs/promises'
import { IftError } from '@ift/tensor'
import { readFailed } from '../../files/errors.js'
import { streamRegular } from '../../files/regular-file.js'

export type Chunks = AsyncIterable<Uint8Array>

/** A file of records: one on disk, or an entry of an archive. */
export interface RecordFile {
  /** For messages, and what tells its kind: a path, or `archive.zip!/entry`. */
  readonly name: string
  /** Where it lies on disk; null for an entry of an archive. */
  readonly path: string | null
  /** Its bytes as they are stored. */
  readonly bytes: () => Chunks
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

/** What a file was when reading began, to be compared when it ends. */
export class FileStamp {
  readonly #path: string
  readonly #stamp: string
  readonly size: number

  private constructor(path: string, stamp: string, size: number) {
    this.#path = path
    this.#stamp = stamp
    this.size = size
  }

  static async of(path: string): Promise<FileStamp> {
    try {
      const { dev, ino, size, mtimeNs } = await stat(path, { bigint: true })
      return new FileStamp(path, `${dev}:${ino}:${size}:${mtimeNs}`, Number(size))
    } catch (cause) {
      throw dataFailed(path, cause)
    }
  }

  equals(other: FileStamp): boolean {
    return this.#stamp === other.#stamp
  }

  /** `IFT_FILE_CHANGED` when the file is another one now, has another size or was written to. */
  async check(): Promise<void> {
    const now = await FileStamp.of(this.#path).catch(() => null)
    if (now !== null && this.equals(now)) return
    throw new IftError(
      'IFT_FILE_CHANGED',
      `${this.#path} ${now ? `was changed since the run began to read: it had ${this.size} bytes and has ${now.size}` : 'was removed or renamed while it was read'}.`,
      'Run it again when nothing writes to the data, or train on a copy.',
    )
  }
}

/** What the files of a run were when they were found. It is no part of what they hold, and is left out where options become text. */
export class FileStamps {
  readonly #stamps: ReadonlyMap<string, FileStamp>

  private constructor(stamps: ReadonlyMap<string, FileStamp>) {
    this.#stamps = stamps
  }

  static async of(paths: readonly string[]): Promise<FileStamps> {
    const stamps = new Map<string, FileStamp>()
    for (const path of paths) if (!stamps.has(path)) stamps.set(path, await FileStamp.of(path))
    return new FileStamps(stamps)
  }

  /** `IFT_FILE_CHANGED` when the file is not what it was. */
  async check(path: string): Promise<void> {
    await this.#stamps.get(path)?.check()
  }

  toJSON(): undefined {
    return undefined
  }
}

/** A file of data as it is stored; `IFT_FILE_CHANGED` when it is not the same at its end. */
export async function* storedBytes(path: string): Chunks {
  try {
    const stamp = await FileStamp.of(path)
    yield* streamRegular(path)
    await stamp.check()
  } catch (cause) {
    throw dataFailed(path, cause)
  }
}

export const fileOnDisk = (path: string): RecordFile => ({ name: path, path, bytes: () => storedBytes(path) })
