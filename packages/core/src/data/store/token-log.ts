import { closeSync, mkdirSync, mkdtempSync, openSync, readSync, rmSync, writeSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { bytesOf, pieceTokens } from './tokens.js'

/**
 * Tokens that are written behind one another and read at any place meanwhile. The last of them are in memory, the others in a file
 * without a name; where none can be written, all stay in memory.
 */
export class TokenLog {
  readonly #dir: string | undefined
  /** Full pieces from `#onFile` on, and the one that is filled. */
  #pieces: Int32Array[] = [new Int32Array(pieceTokens)]
  #tokens = 0
  #onFile = 0
  #file: number | null = null
  #isMemory = false

  /** `dir` is where the file lies; the system's folder for temporary files when it is absent. */
  constructor(dir?: string) {
    this.#dir = dir
  }

  /** Adds tokens; gives the place of the first. */
  add(tokens: Int32Array): number {
    const start = this.#tokens
    for (let from = 0; from < tokens.length;) {
      const fill = this.#tokens % pieceTokens
      const part = tokens.subarray(from, from + pieceTokens - fill)
      this.#pieces.at(-1)!.set(part, fill)
      from += part.length
      this.#tokens += part.length
      if (this.#tokens % pieceTokens === 0) this.#nextPiece()
    }
    return start
  }

  /** `count` tokens from `start`, in memory of their own. */
  read(start: number, count: number): Int32Array<ArrayBuffer> {
    const values = new Int32Array(count)
    const ofFile = Math.max(0, Math.min(count, this.#onFile - start))
    if (ofFile > 0) {
      const target = bytesOf(values.subarray(0, ofFile))
      for (let done = 0; done < target.length;) {
        const read = readSync(this.#file!, target, done, target.length - done, 4 * start + done)
        if (read === 0) throw new Error('the file of samples was cut')
        done += read
      }
    }
    for (let at = ofFile; at < count;) {
      const place = start + at - this.#onFile
      const offset = place % pieceTokens
      const part = this.#pieces[(place - offset) / pieceTokens]!.subarray(offset, offset + count - at)
      values.set(part, at)
      at += part.length
    }
    return values
  }

  /** Lets go of all tokens. */
  close(): void {
    if (this.#file !== null) closeSync(this.#file)
    this.#file = null
    this.#pieces = []
  }

  #nextPiece(): void {
    if (!this.#isMemory)
      try {
        this.#file ??= this.#open()
        const bytes = bytesOf(this.#pieces[0]!)
        for (let done = 0; done < bytes.length;)
          done += writeSync(this.#file, bytes, done, bytes.length - done, 4 * this.#onFile + done)
        this.#onFile += pieceTokens
        // It is filled anew.
        return
      } catch {
        this.#isMemory = true
      }
    this.#pieces.push(new Int32Array(pieceTokens))
  }

  #open(): number {
    if (this.#dir !== undefined)
      try {
        mkdirSync(this.#dir, { recursive: true })
        return this.#openIn(this.#dir)
      } catch {
        // A folder that cannot be written to, or is full.
      }
    return this.#openIn(tmpdir())
  }

  #openIn(dir: string): number {
    const folder = mkdtempSync(join(dir, 'new.samples.'))
    try {
      return openSync(join(folder, 'samples'), 'wx+', 0o600)
    } finally {
      // Open files outlive their names.
      try {
        rmSync(folder, { recursive: true, force: true })
      } catch {
        // A system that keeps names of open files keeps this one too.
      }
    }
  }
}
