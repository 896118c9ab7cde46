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

/** What a file was when reading began, to be compared when it ends. Another file with the size and time of the first is a copy of it. */
export class FileStamp {
  readonly #path: string
  readonly size: number
  /** When its content was last written, in nanoseconds. */
  readonly #written: bigint

  private constructor(path: string, size: number, written: bigint) {
    this.#path = path
    this.size = size
    this.#written = written
  }

  static async of(path: string): Promise<FileStamp> {
    try {
      const { size, mtimeNs } = await stat(path, { bigint: true })
      return new FileStamp(path, Number(size), mtimeNs)
    } catch (cause) {
      throw dataFailed(path, cause)
    }
  }

  equals(other: FileStamp): boolean {
    return this.size === other.size && this.#written === other.#written
  }

  /** `IFT_FILE_CHANGED` when the file has another size, was written to, or is gone. */
  async check(): Promise<void> {
    const now = await FileStamp.of(this.#path).catch(() => null)
    if (now !== null && this.equals(now)) return
    const what =
      now === null
        ? 'was removed or renamed while it was read'
        : now.size === this.size
          ? `was written to since the run began to read: its time was ${this.#time()} and is ${now.#time()}, its size the same`
          : `was changed since the run began to read: it had ${this.size} bytes and has ${now.size}`
    throw new IftError(
      'IFT_FILE_CHANGED',
      `${this.#path} ${what}.`,
      'Run it again when nothing writes to the data or sets its time (touch), or train on a copy.',
    )
  }

  /** To the nanosecond, as two times may differ by no more. */
  #time(): string {
    const second = 10n ** 9n
    const whole = this.#written / second
    const start = new Date(Number(whole) * 1000).toISOString().replace(/\.\d+Z$/, '')
    return `${start}.${String(this.#written - whole * second).padStart(9, '0')}Z`
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
