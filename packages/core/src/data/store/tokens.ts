import { closeSync, readSync } from 'node:fs'
import { IftError } from '@ift/tensor'

/** Tokens in one piece of memory: 4 MiB. What is in pieces grows without a copy of what is there. */
export const pieceTokens = 1 << 20

/** Tokens that are read at once where samples are read one after another: 256 KiB. */
const aheadTokens = 1 << 16

/** The bytes of an array, not copied. */
export const bytesOf = ({ buffer, byteOffset, byteLength }: Int32Array): Uint8Array =>
  new Uint8Array(buffer, byteOffset, byteLength)

/** Tokens in a file that is open, from a byte of it on. */
export interface TokensOnFile {
  readonly file: number
  readonly path: string
  readonly offset: number
  readonly tokens: number
  /** Called when it is closed. */
  readonly onClose?: () => void
}

/**
 * Tokens of a store end to end: the first of them in a file, which is read by position so that processes share the pages that
 * the system keeps of it, the rest in pieces of `pieceTokens` in memory.
 */
export class Tokens {
  readonly #onFile: TokensOnFile | null
  readonly #pieces: readonly Int32Array[]
  /** What was read ahead, and where the next read begins if samples are read in order. */
  #ahead: { readonly start: number; readonly values: Int32Array } | null = null
  #next = -1
  #isClosed = false

  constructor(onFile: TokensOnFile | null, pieces: readonly Int32Array[]) {
    this.#onFile = onFile
    this.#pieces = pieces
  }

  /** `count` tokens from `start`, in memory of their own. */
  read(start: number, count: number): Int32Array<ArrayBuffer> {
    const values = new Int32Array(count)
    const onFile = this.#onFile?.tokens ?? 0
    const ofFile = Math.max(0, Math.min(count, onFile - start))
    if (ofFile > 0) this.#readFile(start, values.subarray(0, ofFile))
    for (let at = ofFile; at < count;) {
      const place = start + at - onFile
      const offset = place % pieceTokens
      const part = this.#pieces[(place - offset) / pieceTokens]!.subarray(offset, offset + count - at)
      values.set(part, at)
      at += part.length
    }
    return values
  }

  /** Closes the file. Tokens that lie in it cannot be read any more. */
  close(): void {
    if (this.#onFile === null || this.#isClosed) return
    this.#isClosed = true
    this.#ahead = null
    this.#onFile.onClose?.()
    closeSync(this.#onFile.file)
  }

  #readFile(start: number, values: Int32Array): void {
    const isNext = start === this.#next
    this.#next = start + values.length
    const ahead = this.#ahead
    if (ahead && start >= ahead.start && this.#next <= ahead.start + ahead.values.length) {
      values.set(ahead.values.subarray(start - ahead.start, this.#next - ahead.start))
      return
    }
    if (!isNext || values.length >= aheadTokens) {
      this.#fill(start, values)
      return
    }
    const read = new Int32Array(Math.min(aheadTokens, this.#onFile!.tokens - start))
    this.#fill(start, read)
    this.#ahead = { start, values: read }
    values.set(read.subarray(0, values.length))
  }

  #fill(start: number, values: Int32Array): void {
    const { file, path, offset } = this.#onFile!
    if (this.#isClosed)
      throw new IftError('IFT_SAMPLE_RANGE', `${path}: samples were asked for after the data were released.`)
    const target = bytesOf(values)
    for (let done = 0; done < target.length;) {
      let read: number
      try {
        read = readSync(file, target, done, target.length - done, offset + 4 * start + done)
      } catch (cause) {
        throw lost(path, cause)
      }
      if (read === 0) throw lost(path)
      done += read
    }
  }
}

const lost = (path: string, cause?: unknown) =>
  new IftError(
    'IFT_FILE_CHANGED',
    `${path} was cut or cannot be read any more while its samples are used.`,
    'Go on from the last checkpoint: --resume. The samples are made again.',
    cause === undefined ? undefined : { cause },
  )
