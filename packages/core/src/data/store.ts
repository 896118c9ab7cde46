import { createHash, randomBytes } from 'node:crypto'
import { mkdir, open, readdir, rename, rm, stat } from 'node:fs/promises'
import { join } from 'node:path'
import { IftError } from '@ift/tensor'
import { openRegular } from '../files/regular-file.js'
import { ignoredLabel } from './encode.js'
import type { Sample } from '../contract/data.js'
import type { Epochs } from './epochs.js'

/** Samples by number. */
export interface SampleSource {
  readonly count: number
  /** Tokens of a sample. */
  length(index: number): number
  /** Tokens of it that are learned: those with a label behind the first position. */
  trained(index: number): number
  /** Whether its first token has a label, which virtual rows in front of it can predict. */
  learnsFirst(index: number): boolean
  sample(index: number): Sample
  /** What an epoch has of it; every sample once when absent. */
  readonly epochs?: Epochs
}

/** Counts of the examples that went into a store. */
export interface StoreCounts {
  readonly examples: number
  /** Samples that lost tokens, and how many. */
  readonly truncated: number
  readonly cutTokens: number
  /** Dropped: longer than maxLength; without a token to learn; by a hook. */
  readonly long: number
  readonly untrained: number
  readonly filtered: number
}

const magic = 'ift-samples-1\n'
/** Tokens in one piece of a store: 4 MiB of ids. A store in pieces grows without a copy of what is there. */
const chunkTokens = 1 << 20

/** Parts of an array of at most so many elements. */
const piecesOf = <T extends Int32Array | Uint8Array>(array: T, elements: number): T[] =>
  Array.from(
    { length: Math.ceil(array.length / elements) },
    (_, i) => array.subarray(i * elements, (i + 1) * elements) as T,
  )

/** Tokenised samples in flat arrays: ids, and one bit a token that says whether it is learned. */
export class SampleStore implements SampleSource {
  readonly #ids: readonly Int32Array[]
  readonly #mask: readonly Uint8Array[]
  readonly #starts: Float64Array
  readonly #trained: Int32Array

  /** `ids` [tokens] and `mask` bits [tokens] in pieces of `chunkTokens`, `lengths` [count]. */
  constructor(
    ids: readonly Int32Array[],
    mask: readonly Uint8Array[],
    lengths: Int32Array,
    readonly counts: StoreCounts,
  ) {
    this.#ids = ids
    this.#mask = mask
    this.#starts = new Float64Array(lengths.length + 1)
    this.#trained = new Int32Array(lengths.length)
    for (const [i, length] of lengths.entries()) {
      const start = this.#starts[i]!
      this.#starts[i + 1] = start + length
      for (let at = start + 1; at < start + length; at++) if (this.#bit(at)) this.#trained[i]!++
    }
  }

  get count(): number {
    return this.#trained.length
  }

  /** Tokens of all samples. */
  get tokens(): number {
    return this.#starts[this.count]!
  }

  /** Learned tokens of all samples. */
  get trainedTokens(): number {
    return this.#trained.reduce((sum, trained) => sum + trained, 0)
  }

  length(index: number): number {
    return this.#starts[index + 1]! - this.#starts[index]!
  }

  trained(index: number): number {
    return this.#trained[index]!
  }

  learnsFirst(index: number): boolean {
    return this.#bit(this.#starts[index]!)
  }

  sample(index: number): Sample {
    const start = this.#starts[index]
    const end = this.#starts[index + 1]
    if (start === undefined || end === undefined)
      throw new IftError('IFT_SAMPLE_RANGE', `Sample ${index} of ${this.count} was asked for.`)
    const ids = new Int32Array(end - start)
    const labels = new Int32Array(end - start).fill(ignoredLabel)
    for (let from = start; from < end;) {
      const piece = Math.floor(from / chunkTokens)
      const offset = from - piece * chunkTokens
      const part = this.#ids[piece]!.subarray(offset, offset + end - from)
      const mask = this.#mask[piece]!
      ids.set(part, from - start)
      for (let i = 0; i < part.length; i++)
        if ((mask[(offset + i) >> 3]! >> ((offset + i) & 7)) & 1) labels[from - start + i] = part[i]!
      from += part.length
    }
    return { ids, labels }
  }

  #bit(at: number): boolean {
    const piece = Math.floor(at / chunkTokens)
    const offset = at - piece * chunkTokens
    // Behind the last token there is no piece.
    return (((this.#mask[piece]?.[offset >> 3] ?? 0) >> (offset & 7)) & 1) === 1
  }

  /** The parts of a file, in order: header, lengths, mask, ids. */
  #parts(): Uint8Array[] {
    const lengths = Int32Array.from({ length: this.count }, (_, i) => this.length(i))
    return [lengths, ...this.#mask, ...this.#ids].map(
      (array) => new Uint8Array(array.buffer as ArrayBuffer, array.byteOffset, array.byteLength),
    )
  }

  /** Writes the store to `dir/key.samples` under a temporary name, flushes and renames it. */
  async save(dir: string, key: string): Promise<string> {
    const parts = this.#parts()
    const header = JSON.stringify({
      count: this.count,
      tokens: this.tokens,
      counts: this.counts,
      sha256: digest(parts),
    })
    const path = join(dir, `${key}.samples`)
    const temporary = `${path}.${randomBytes(6).toString('hex')}.tmp`
    try {
      await mkdir(dir, { recursive: true })
      await removeAbandoned(dir)
      const file = await open(temporary, 'wx')
      try {
        for (const part of [Buffer.from(`${magic}${header}\n`), ...parts])
          // One write call takes less than 2 GiB.
          for (let at = 0; at < part.length; at += 1 << 28)
            await file.writeFile(part.subarray(at, at + (1 << 28)))
        await file.sync()
      } finally {
        await file.close()
      }
      await rename(temporary, path)
    } catch (cause) {
      await rm(temporary, { force: true }).catch(() => undefined)
      throw new IftError(
        'IFT_CACHE_WRITE',
        `${path}: the tokenised samples could not be written: ${(cause as Error).message}`,
        'Free some space, or make the folder writable.',
        { cause },
      )
    }
    return path
  }

  /** Reads what `save` wrote; null when there is none or when it is not whole, so that it is made again. */
  static async load(dir: string, key: string): Promise<SampleStore | null> {
    let opened
    try {
      opened = await openRegular(join(dir, `${key}.samples`))
    } catch {
      return null
    }
    const { file, size } = opened
    try {
      const head = Buffer.alloc(Math.min(size, 4096))
      await file.read(head, 0, head.length, 0)
      const line = head.indexOf('\n', magic.length)
      if (!head.toString('latin1').startsWith(magic) || line < 0) return null
      const header = JSON.parse(head.toString('utf8', magic.length, line)) as {
        count: number
        tokens: number
        counts: StoreCounts
        sha256: string
      }
      const { count, tokens } = header
      const maskBytes = Math.ceil(tokens / 8)
      if (size !== line + 1 + 4 * count + maskBytes + 4 * tokens) return null
      let position = line + 1
      const part = async (bytes: number) => {
        const buffer = new Uint8Array(new ArrayBuffer(bytes))
        for (let at = 0; at < bytes;) {
          const { bytesRead } = await file.read(buffer, at, Math.min(1 << 28, bytes - at), position + at)
          if (bytesRead === 0) throw new Error('unexpected end of file')
          at += bytesRead
        }
        position += bytes
        return buffer
      }
      const parts = [await part(4 * count), await part(maskBytes), await part(4 * tokens)] as const
      if (digest(parts) !== header.sha256) return null
      const [lengths, mask, ids] = parts
      return new SampleStore(
        piecesOf(new Int32Array(ids.buffer), chunkTokens),
        piecesOf(mask, chunkTokens / 8),
        new Int32Array(lengths.buffer),
        header.counts,
      )
    } catch {
      return null
    } finally {
      await file.close()
    }
  }
}

/** Milliseconds after which an unfinished file counts as abandoned. */
const abandoned = 24 * 3600 * 1000

/** Removes what processes that were killed while they wrote have left. */
async function removeAbandoned(dir: string): Promise<void> {
  for (const name of await readdir(dir)) {
    if (!/\.samples\.[0-9a-f]{12}\.tmp$/.test(name)) continue
    const found = await stat(join(dir, name)).catch(() => null)
    if (found && Date.now() - found.mtimeMs > abandoned) await rm(join(dir, name), { force: true })
  }
}

function digest(parts: readonly Uint8Array[]): string {
  const hash = createHash('sha256')
  for (const part of parts)
    for (let at = 0; at < part.length; at += 1 << 28) hash.update(part.subarray(at, at + (1 << 28)))
  return hash.digest('hex')
}

/** Collects samples for a store. */
export class SampleStoreBuilder {
  readonly #chunks: Int32Array[] = []
  #fill = chunkTokens
  readonly #masks: Uint8Array[] = []
  readonly #lengths: number[] = []
  #tokens = 0

  /** Labels are the id of their own position or -100. */
  add({ ids, labels }: Sample): void {
    if (labels.length !== ids.length)
      throw new IftError('IFT_SAMPLE_SHAPE', `A sample has ${ids.length} ids and ${labels.length} labels.`)
    for (let i = 0; i < ids.length; i++) {
      if (labels[i] !== ignoredLabel && labels[i] !== ids[i])
        throw new IftError(
          'IFT_SAMPLE_SHAPE',
          `labels[${i}] of a sample is ${labels[i]}: expected ${ignoredLabel} or the id at the same position, ${ids[i]}.`,
          'A `sample` hook may mask labels and change ids, but labels follow ids.',
        )
    }
    for (let from = 0; from < ids.length;) {
      if (this.#fill === chunkTokens) {
        this.#chunks.push(new Int32Array(chunkTokens))
        this.#masks.push(new Uint8Array(chunkTokens / 8))
        this.#fill = 0
      }
      const to = Math.min(ids.length, from + chunkTokens - this.#fill)
      this.#chunks.at(-1)!.set(ids.subarray(from, to), this.#fill)
      const mask = this.#masks.at(-1)!
      for (let i = from; i < to; i++, this.#fill++)
        if (labels[i] !== ignoredLabel) mask[this.#fill >> 3]! |= 1 << (this.#fill & 7)
      from = to
    }
    this.#tokens += ids.length
    this.#lengths.push(ids.length)
  }

  build(counts: StoreCounts): SampleStore {
    // The last piece is not full.
    const ids = this.#chunks.map((chunk, i) => chunk.subarray(0, this.#tokens - i * chunkTokens))
    const masks = this.#masks.map((mask, i) => mask.subarray(0, Math.ceil(ids[i]!.length / 8)))
    return new SampleStore(ids, masks, Int32Array.from(this.#lengths), counts)
  }
}
