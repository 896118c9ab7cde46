import { open, type FileHandle } from 'node:fs/promises'
import { constants } from 'node:fs'

/** Bytes of a line at most; a longer one counts and is passed over. */
const mostLine = 4 * 1024 * 1024
/** Bytes that are read at a time. */
const pieceBytes = 1024 * 1024

/** A line is text, or null where it was passed over. */
export type OnLine = (line: string | null, number: number) => void

/** Reads the lines that are added to a file, each once: whole ones alone, since the last may be on its way. */
export class LineTail {
  readonly #path: string
  #offset = 0
  #inode = 0
  #rest: Buffer[] = []
  #restBytes = 0
  #isLong = false
  /** Whole lines so far. */
  lines = 0
  /** Lines up to this number are counted alone: nobody is told of them. */
  passed = 0

  constructor(path: string) {
    this.#path = path
  }

  /** Names the file that is read: another one, under the same name, has another. `0` where there is none yet. */
  get file(): string {
    return this.#inode.toString(36)
  }

  /**
   * Hands over the lines since the last time, of `most` bytes at most. `again`: the file was replaced or cut, and what was read counts no
   * more; the next call begins at its first line. `more`: there is more to read.
   */
  async read(
    onLine: OnLine,
    most = 64 * pieceBytes,
  ): Promise<{ readonly again: boolean; readonly more: boolean }> {
    let handle: FileHandle
    try {
      handle = await open(
        this.#path,
        constants.O_RDONLY | ((constants as Partial<typeof constants>).O_NONBLOCK ?? 0),
      )
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code !== 'ENOENT') throw error
      const again = this.#offset > 0
      this.#restart(0)
      return { again, more: false }
    }
    try {
      const info = await handle.stat()
      if (!info.isFile()) throw new Error('It is no file.')
      if (this.#inode !== info.ino || info.size < this.#offset) {
        const again = this.#offset > 0
        this.#restart(info.ino)
        if (again) return { again, more: true }
      }
      const end = Math.min(info.size, this.#offset + most)
      const piece = Buffer.allocUnsafe(Math.min(pieceBytes, Math.max(1, end - this.#offset)))
      while (this.#offset < end) {
        const { bytesRead } = await handle.read(
          piece,
          0,
          Math.min(piece.length, end - this.#offset),
          this.#offset,
        )
        if (bytesRead === 0) break
        this.#offset += bytesRead
        this.#take(piece.subarray(0, bytesRead), onLine)
      }
      return { again: false, more: info.size > end }
    } finally {
      await handle.close()
    }
  }

  #restart(inode: number): void {
    ;[this.#offset, this.#inode, this.#restBytes, this.#isLong, this.lines] = [0, inode, 0, false, 0]
    this.#rest = []
  }

  #take(bytes: Buffer, onLine: OnLine): void {
    let from = 0
    for (let at = bytes.indexOf(10); at >= 0; at = bytes.indexOf(10, from)) {
      const pieces = [...this.#rest, bytes.subarray(from, at)]
      const isLong = this.#isLong
      ;[this.#rest, this.#restBytes, this.#isLong] = [[], 0, false]
      from = at + 1
      if (++this.lines > this.passed)
        onLine(isLong ? null : Buffer.concat(pieces).toString('utf8'), this.lines)
    }
    if (from === bytes.length) return
    this.#restBytes += bytes.length - from
    if (this.#restBytes > mostLine) {
      this.#isLong = true
      this.#rest = []
    } else this.#rest.push(Buffer.from(bytes.subarray(from)))
  }
}
