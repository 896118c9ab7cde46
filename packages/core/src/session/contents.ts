import { createHash } from 'node:crypto'
import { closeSync, fstatSync, openSync, type BigIntStats } from 'node:fs'
import { mkdir } from 'node:fs/promises'
import { dirname, join, resolve } from 'node:path'
import { Worker } from 'node:worker_threads'
import { IftError } from '@ift/tensor'
import { writeFileAtomic } from '../files/atomic.js'
import { readFailed } from '../files/errors.js'
import { jsonObject, readJson } from '../files/read-json.js'
import { readFlags } from '../files/regular-file.js'
import { cacheFolder } from '../config/env.js'

/** Hashes open files, by descriptor and size, in a thread of its own: plain Node, since it is started from its text. */
const worker = `
const { parentPort, workerData } = require('node:worker_threads')
const { createHash } = require('node:crypto')
const { readSync } = require('node:fs')
const buffer = Buffer.allocUnsafe(1 << 20)
for (const { file, size } of workerData) {
  const hash = createHash('sha256')
  let at = 0
  while (at < size) {
    const read = readSync(file, buffer, 0, Math.min(buffer.length, size - at), at)
    if (read === 0) break
    hash.update(buffer.subarray(0, read))
    at += read
  }
  parentPort.postMessage(at === size ? hash.digest('hex') : null)
}`

interface Opened {
  readonly path: string
  readonly file: number
  stat: BigIntStats
  /** Of its contents, once it is known. */
  sha256: string | null
  /** Milliseconds since 1970. */
  readonly at: number
}

/** Nanoseconds that a file was left alone before a hash of it is kept: clocks of file systems are coarse. */
const settled = 2_000_000_000n

/**
 * Loaded files, held open so that they are hashed and checked themselves, even when their names lead to other files
 * later.
 */
export class FileContents {
  readonly #files: readonly Opened[]
  #hash: Promise<string> | null = null
  #known = false
  #worker: Worker | null = null
  #closed = false

  private constructor(files: readonly Opened[]) {
    this.#files = files
  }

  /** Opens files; their order is part of the hash, their names are not. */
  static open(paths: readonly string[]): FileContents {
    const files: Opened[] = []
    try {
      for (const path of paths) {
        const file = openSync(path, readFlags)
        files.push({ path, file, stat: fstatSync(file, { bigint: true }), at: Date.now(), sha256: null })
      }
    } catch (error) {
      for (const { file } of files) closeSync(file)
      throw readFailed(paths[files.length] ?? '', error)
    }
    return new FileContents(files)
  }

  /** Whether `hash` has its answer. */
  get known(): boolean {
    return this.#known
  }

  /** sha256 over the sha256 of each file. Known ones are kept in the user's cache, by path, size, times and number of the file. */
  hash(): Promise<string> {
    if (this.#hash === null) {
      this.#hash = this.#compute()
      // A later read gets the error.
      this.#hash.catch(() => undefined)
    }
    return this.#hash
  }

  /**
   * `IFT_FILE_CHANGED` when one of the files holds something else than when it was opened. A new file under the same
   * name does not count; a file with only new times is read again.
   */
  async check(): Promise<void> {
    for (const file of this.#files) {
      const now = fstatSync(file.file, { bigint: true })
      if (now.size === file.stat.size && now.mtimeNs === file.stat.mtimeNs) continue
      if (now.size === file.stat.size && file.sha256 !== null) {
        const [sha256] = await this.#run([{ ...file, stat: now }])
        if (sha256 === file.sha256) {
          file.stat = now
          continue
        }
      }
      throw new IftError(
        'IFT_FILE_CHANGED',
        `${file.path} was written to while a run used it: expected ${file.stat.size} bytes of ${date(file.stat.mtimeNs)}, found ${now.size} bytes of ${date(now.mtimeNs)}.`,
        'The checkpoints so far are intact. Put the file back and go on: --resume. New weights belong under a new name, or are renamed into place.',
      )
    }
  }

  async #compute(): Promise<string> {
    const hashes = await Promise.all(this.#files.map((file) => readKnown(file)))
    const open = this.#files.filter((_, i) => hashes[i] === null)
    const made = open.length ? await this.#run(open) : []
    // Before any of them counts.
    await this.check()
    for (const [i, file] of open.entries()) await keep(file, made[i]!)
    const sum = createHash('sha256')
    for (const [i, file] of this.#files.entries()) {
      file.sha256 = hashes[i] ?? made.shift()!
      sum.update(file.sha256)
    }
    this.#known = true
    return sum.digest('hex')
  }

  #run(files: readonly Opened[]): Promise<string[]> {
    return new Promise((resolve, reject) => {
      const workerData = files.map(({ file, stat }) => ({ file, size: Number(stat.size) }))
      const thread = new Worker(worker, { eval: true, workerData })
      this.#worker = thread
      const hashes: (string | null)[] = []
      thread.on('message', (hash: string | null) => hashes.push(hash))
      thread.on('error', (error) => {
        reject(unreadable(files[hashes.length]?.path ?? '', error))
      })
      thread.on('exit', () => {
        this.#worker = null
        if (this.#closed) reject(new Error('the files were closed'))
        // A file that ended early is named by `check`.
        else if (hashes.length === files.length) resolve(hashes.map((hash) => hash ?? ''))
        else reject(new Error('the files could not be hashed'))
      })
    })
  }

  close(): void {
    if (this.#closed) return
    this.#closed = true
    const end = () => {
      for (const { file } of this.#files) closeSync(file)
    }
    if (this.#worker) void this.#worker.terminate().then(end)
    else end()
  }
}

const unreadable = (path: string, cause: unknown) => {
  const error = readFailed(path, cause)
  return error instanceof Error ? error : new Error(String(error))
}

const date = (ns: bigint) => new Date(Number(ns / 1_000_000n)).toISOString()

const placeOf = (path: string) =>
  join(
    cacheFolder(),
    'hashes',
    `${createHash('sha256').update(resolve(path)).digest('hex').slice(0, 32)}.json`,
  )

const keyOf = ({ path, stat }: Opened) =>
  JSON.stringify([resolve(path), ...[stat.dev, stat.ino, stat.size, stat.mtimeNs, stat.ctimeNs].map(String)])

async function readKnown(file: Opened): Promise<string | null> {
  try {
    const known = await readJson(placeOf(file.path), jsonObject)
    return known['key'] === keyOf(file) && typeof known['sha256'] === 'string' ? known['sha256'] : null
  } catch {
    return null
  }
}

async function keep(file: Opened, sha256: string): Promise<void> {
  const { mtimeNs, ctimeNs } = file.stat
  const last = mtimeNs > ctimeNs ? mtimeNs : ctimeNs
  if (BigInt(file.at) * 1_000_000n - last < settled) return
  const path = placeOf(file.path)
  try {
    await mkdir(dirname(path), { recursive: true })
    await writeFileAtomic(path, `${JSON.stringify({ key: keyOf(file), sha256 })}\n`)
  } catch {
    // It saves time; without it the file is read again.
  }
}
