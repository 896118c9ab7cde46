import { createHash, randomBytes } from 'node:crypto'
import { closeSync } from 'node:fs'
import { mkdir, mkdtemp, open, rm, type FileHandle } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { IftError } from '@ift/tensor'
import { openRegularSync } from '../../files/regular-file.js'
import { writeAll } from '../../files/atomic.js'
import { rename } from '../../files/rename.js'
import { ignoredLabel } from '../encode.js'
import type { Sample } from '../../contract/data.js'
import { keepInUse, temporaryName } from './cache-folder.js'
import { GrowingInts } from './growing.js'
import { SampleStore, type StoreCounts, type StoreIndex } from './sample-store.js'
import { arraysOf, digestOf, endOf, magic } from './store-file.js'
import { bytesOf, pieceTokens, Tokens } from './tokens.js'

/** Pieces that stay in memory where samples are not kept for the next time: 64 MiB. */
const mostPieces = 16

/** A file that samples are written to while they are made. */
interface Draft {
  readonly path: string
  readonly handle: FileHandle
  /** The same file for reading by position. */
  readonly file: number
  /** Removes the name of the file, and the folder that was made for it. */
  readonly remove: () => Promise<unknown>
}

export interface BuilderOptions {
  /**
   * Folder in which samples are kept: they are written to it as they are made. Without it they stay in memory, and beyond 64 MiB in a
   * file of the system's folder for temporary files that nobody else can open, as long as the store is open.
   */
  readonly dir?: string
}

/** Collects samples for a store. Of those that were flushed, lengths are in memory. */
export class SampleStoreBuilder {
  readonly #dir: string | undefined
  readonly #hash = createHash('sha256')
  readonly #lengths = new GrowingInts()
  readonly #learned = new GrowingInts()
  readonly #without = new GrowingInts()
  /** Pieces that are not in the file. All but the last are full. */
  #pieces: Int32Array[] = []
  #fill = pieceTokens
  #tokens = 0
  #onFile = 0
  #draft: Draft | null = null
  /** Why nothing more is written. */
  #failure: unknown = null

  constructor({ dir }: BuilderOptions = {}) {
    this.#dir = dir
  }

  /** Labels are the id of their own position or -100. */
  add({ ids, labels }: Sample): void {
    if (labels.length !== ids.length)
      throw new IftError('IFT_SAMPLE_SHAPE', `A sample has ${ids.length} ids and ${labels.length} labels.`)
    let learned = 0
    for (let i = 0; i < ids.length; i++) {
      if (ids[i]! < 0)
        throw new IftError('IFT_SAMPLE_SHAPE', `ids[${i}] of a sample is ${ids[i]}: expected a token id.`)
      if (labels[i] === ids[i]) learned += i === 0 ? 1 : 2
      else if (labels[i] !== ignoredLabel)
        throw new IftError(
          'IFT_SAMPLE_SHAPE',
          `labels[${i}] of a sample is ${labels[i]}: expected ${ignoredLabel} or the id at the same position, ${ids[i]}.`,
          'A `sample` hook may mask labels and change ids, but labels follow ids.',
        )
    }
    for (let from = 0; from < ids.length;) {
      if (this.#fill === pieceTokens) {
        this.#pieces.push(new Int32Array(pieceTokens))
        this.#fill = 0
      }
      const piece = this.#pieces.at(-1)!
      const to = Math.min(ids.length, from + pieceTokens - this.#fill)
      for (; from < to; from++) piece[this.#fill++] = labels[from] === ignoredLabel ? ~ids[from]! : ids[from]!
    }
    this.#tokens += ids.length
    this.#lengths.add(ids.length)
    this.#learned.add(learned)
  }

  /** Notes that an example, by its number, gave no sample. */
  addWithout(example: number): void {
    this.#without.add(example)
  }

  /** Writes what is full, where samples are not to stay in memory. What cannot be written stays there. */
  async flush(): Promise<void> {
    const full = () => this.#pieces.length - (this.#fill === pieceTokens ? 0 : 1)
    if (this.#failure !== null || full() < (this.#dir === undefined && this.#draft === null ? mostPieces : 1))
      return
    try {
      this.#draft ??= await (this.#dir === undefined ? draftForItself() : draftIn(this.#dir))
      while (full() > 0) await this.#write(this.#draft, this.#pieces[0]!)
    } catch (error) {
      this.#failure = error
    }
  }

  /** The store of what was added. */
  build(counts: StoreCounts, dropped: Readonly<Record<string, number>> = {}): SampleStore {
    const index = this.#index()
    // The last piece is not full.
    const pieces = this.#pieces.map((piece, i) =>
      piece.subarray(0, this.#tokens - this.#onFile - i * pieceTokens),
    )
    const draft = this.#draft
    void draft?.handle.close()
    void draft?.remove().catch(() => undefined)
    const tokens = new Tokens(
      draft && { file: draft.file, path: draft.path, offset: magic.length, tokens: this.#onFile },
      pieces,
    )
    const hash = this.#hash.copy()
    for (const piece of pieces) hash.update(bytesOf(piece))
    return new SampleStore(tokens, index, { counts, dropped, sha256: digestOf(hash, index) })
  }

  /**
   * Writes the rest, flushes it to the disk, gives the file the name `path` in the folder and opens it. `IFT_CACHE_WRITE` when that is not
   * possible; `build` then gives the same store.
   */
  async keep(
    path: string,
    counts: StoreCounts,
    dropped: Readonly<Record<string, number>> = {},
  ): Promise<SampleStore> {
    try {
      if (this.#failure !== null) throw this.#failure as Error
      const draft = (this.#draft ??= await draftIn(dirname(path)))
      while (this.#pieces.length > 0) await this.#write(draft, this.#pieces[0]!)
      const index = this.#index()
      const facts = { counts, dropped, sha256: digestOf(this.#hash.copy(), index) }
      for (const array of arraysOf(index)) await writeAll(draft.handle, bytesOf(array))
      const sizes = { count: index.lengths.length, without: index.without.length, tokens: this.#tokens }
      await writeAll(draft.handle, endOf({ ...sizes, ...facts }))
      await draft.handle.sync()
      await rename(draft.path, path)
      await draft.handle.close()
      const onFile = { file: draft.file, path, offset: magic.length, tokens: this.#tokens }
      const onClose = keepInUse(draft.file)
      return new SampleStore(new Tokens({ ...onFile, onClose }, []), index, facts)
    } catch (cause) {
      this.#failure ??= cause
      throw new IftError(
        'IFT_CACHE_WRITE',
        `${path}: the tokenised samples could not be written: ${(cause as Error).message}`,
        'Free some space, or make the folder writable.',
        { cause },
      )
    }
  }

  /** Lets go of what was written of samples that nobody wants. */
  async discard(): Promise<void> {
    const draft = this.#draft
    this.#draft = null
    if (draft === null) return
    await draft.handle.close().catch(() => undefined)
    closeSync(draft.file)
    await draft.remove().catch(() => undefined)
  }

  #index(): StoreIndex {
    return {
      lengths: this.#lengths.toArray(),
      learned: this.#learned.toArray(),
      without: this.#without.toArray().sort(),
    }
  }

  /** Writes the first piece behind what is in the file. */
  async #write({ handle }: Draft, piece: Int32Array): Promise<void> {
    const part = piece.subarray(0, this.#tokens - this.#onFile)
    await writeAll(handle, bytesOf(part))
    this.#hash.update(bytesOf(part))
    this.#onFile += part.length
    this.#pieces.shift()
    if (this.#pieces.length === 0) this.#fill = pieceTokens
  }
}

async function draftIn(dir: string): Promise<Draft> {
  await mkdir(dir, { recursive: true })
  const path = join(dir, temporaryName(randomBytes(6).toString('hex')))
  return begin(path, 0o666, () => rm(path, { force: true }))
}

async function draftForItself(): Promise<Draft> {
  const folder = await mkdtemp(join(tmpdir(), 'ift-samples-'))
  const remove = () => rm(folder, { recursive: true, force: true })
  try {
    const draft = await begin(join(folder, 'samples'), 0o600, remove)
    // Open files outlive their names.
    await remove().catch(() => undefined)
    return draft
  } catch (error) {
    await remove().catch(() => undefined)
    throw error
  }
}

async function begin(path: string, mode: number, remove: Draft['remove']): Promise<Draft> {
  const handle = await open(path, 'wx', mode)
  try {
    await writeAll(handle, magic)
    return { path, handle, file: openRegularSync(path).file, remove }
  } catch (error) {
    await handle.close()
    await remove()
    throw error
  }
}
