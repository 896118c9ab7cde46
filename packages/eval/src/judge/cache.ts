import { createHash } from 'node:crypto'
import { open, mkdir, type FileHandle } from 'node:fs/promises'
import { dirname } from 'node:path'
import { IftError, streamRegular, writeFailed } from '@ift/core'
import { z } from 'zod'

/** A line of the cache. Replies have 512 tokens; a longer line is none of ours. */
const mostLineBytes = 1 << 21

const lineSchema = z.object({
  key: z.string().regex(/^[0-9a-f]{64}$/),
  model: z.string(),
  date: z.string(),
  text: z.string(),
  promptTokens: z.number().int().nonnegative(),
  replyTokens: z.number().int().nonnegative(),
})

export type CachedReply = Omit<z.infer<typeof lineSchema>, 'key' | 'model'>

/** sha256 of what a reply depends on. */
export const cacheKey = (...parts: readonly unknown[]): string =>
  createHash('sha256').update(JSON.stringify(parts)).digest('hex')

/**
 * Replies of a judge on disk, a line of JSON each. Lines are only added, each in one write before its reply is used: what was cut off by
 * the end of a process is one line, which is passed over, and asked again. Several processes may add to one file.
 */
export class ReplyCache {
  readonly #replies = new Map<string, CachedReply>()
  #file: FileHandle | null = null
  /** Whether the file ends within a line. */
  #torn = false
  #writes: Promise<unknown> = Promise.resolve()

  private constructor(readonly path: string) {}

  /** Reads what is there; makes file and folder where there is none. IFT_FILE_UNWRITABLE where that cannot be. */
  static async open(path: string): Promise<ReplyCache> {
    const cache = new ReplyCache(path)
    try {
      await mkdir(dirname(path), { recursive: true })
      cache.#file = await open(path, 'a')
    } catch (error) {
      throw writeFailed(path, error)
    }
    try {
      await cache.#read()
    } catch (error) {
      await cache.close()
      throw error
    }
    return cache
  }

  get size(): number {
    return this.#replies.size
  }

  get(key: string): CachedReply | undefined {
    return this.#replies.get(key)
  }

  /** Resolves when the operating system has the line. */
  async add(key: string, model: string, reply: CachedReply): Promise<void> {
    const write = this.#writes.then(async () => {
      const file = this.#file
      if (!file) throw new IftError('IFT_FILE_UNWRITABLE', `${this.path} was closed.`)
      const line = `${this.#torn ? '\n' : ''}${JSON.stringify({ key, model, ...reply })}\n`
      // Until all of it is there, the file may end within it.
      this.#torn = true
      try {
        await file.appendFile(line)
      } catch (error) {
        throw writeFailed(this.path, error)
      }
      this.#torn = false
      this.#replies.set(key, reply)
    })
    this.#writes = write.catch(() => undefined)
    await write
  }

  async close(): Promise<void> {
    await this.#writes
    await this.#file?.close()
    this.#file = null
  }

  async #read(): Promise<void> {
    let line: Uint8Array[] = []
    let bytes = 0
    for await (const piece of streamRegular(this.path)) {
      let from = 0
      for (let end = piece.indexOf(0x0a); end >= 0; end = piece.indexOf(0x0a, from)) {
        bytes += end - from
        if (bytes <= mostLineBytes) this.#take(Buffer.concat([...line, piece.subarray(from, end)]))
        line = []
        bytes = 0
        from = end + 1
      }
      bytes += piece.length - from
      // The rest of a line that is too long is not kept.
      if (bytes <= mostLineBytes) line.push(Uint8Array.from(piece.subarray(from)))
      else line = []
    }
    this.#torn = bytes > 0
  }

  #take(line: Buffer): void {
    let value: unknown
    try {
      value = JSON.parse(line.toString('utf8'))
    } catch {
      return
    }
    const parsed = lineSchema.safeParse(value)
    if (!parsed.success) return
    const { key, date, text, promptTokens, replyTokens } = parsed.data
    this.#replies.set(key, { date, text, promptTokens, replyTokens })
  }
}
