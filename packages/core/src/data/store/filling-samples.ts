import { existsSync } from 'node:fs'
import { dirname } from 'node:path'
import { IftError } from '@ift/tensor'
import { ignoredLabel, type Encoded } from '../encode.js'
import type { Sample } from '../../contract/data.js'
import { SampleStoreBuilder } from './builder.js'
import { alone } from './cache-folder.js'
import { RowSamples } from './row-samples.js'
import { SampleStore, type SampleSource, type StoreCounts } from './sample-store.js'
import { TokenLog } from './token-log.js'

/** Length of a row of which no sample was made yet. */
const unmade = -1

/** Rows that are made in one call, and that are written between two turns of the event loop. */
const batchRows = 256

export interface FillingOptions {
  /** Rows that there are. */
  readonly count: number
  /** Numbers of those that are wanted, ascending; all of them when null. */
  readonly rows: Int32Array | null
  /** sha256 of what decides the samples. */
  readonly sha256: string
  /** Samples of rows, whose numbers ascend; the same ones whenever they are asked for. */
  readonly make: (rows: readonly number[]) => Promise<readonly Encoded[]>
  /** Folder for what is made meanwhile. */
  readonly dir?: string
  /** Called when nothing more is made. */
  readonly onClose?: () => void
}

/**
 * Samples by row that are made in any order, as they are asked for, while others are read already. When all that are wanted were made, they
 * are written in the order of the rows, as a `SampleStoreBuilder` writes them, and are read from there. Of each row 16 bytes are in memory.
 */
export class FillingSamples implements SampleSource {
  readonly #options: FillingOptions
  readonly #lengths: Int32Array
  readonly #learned: Int32Array
  readonly #starts: Float64Array
  readonly #log: TokenLog
  readonly #pending = new Map<number, Promise<void>>()
  #counts: StoreCounts = { examples: 0, truncated: 0, cutTokens: 0, long: 0, untrained: 0, filtered: 0 }
  #store: SampleStore | null = null
  #whole: RowSamples | null = null
  #isClosed = false

  constructor(options: FillingOptions) {
    this.#options = options
    this.#lengths = new Int32Array(options.count).fill(unmade)
    this.#learned = new Int32Array(options.count)
    this.#starts = new Float64Array(options.count)
    this.#log = new TokenLog(options.dir)
  }

  get count(): number {
    return this.#options.count
  }

  get sha256(): string {
    return this.#options.sha256
  }

  get hasGaps(): boolean {
    return this.#whole?.hasGaps ?? (this.isFilling || this.#options.rows !== null || this.#hasDropped)
  }

  /** Whether rows are wanted of which nothing is known. */
  get isFilling(): boolean {
    return this.#whole === null && !this.isMade
  }

  get isWhole(): boolean {
    return this.#options.rows === null
  }

  get #hasDropped(): boolean {
    return this.#counts.long + this.#counts.untrained > 0
  }

  /** What was made so far. */
  get counts(): StoreCounts {
    return this.#store?.counts ?? this.#counts
  }

  /** The store of all samples, when they are written. */
  get store(): SampleStore | null {
    return this.#store
  }

  /** Whether all rows that are wanted were made. */
  get isMade(): boolean {
    return this.counts.examples === (this.#options.rows?.length ?? this.count)
  }

  length(index: number): number {
    if (this.#whole) return this.#whole.length(index)
    const length = this.#lengths[index]!
    if (length === unmade)
      throw new IftError(
        'IFT_SAMPLE_RANGE',
        `Row ${index} of ${this.count} was asked for before it was made.`,
      )
    return length
  }

  trained(index: number): number {
    return this.#whole?.trained(index) ?? this.#learned[this.#made(index)]! >> 1
  }

  learnsFirst(index: number): boolean {
    return this.#whole?.learnsFirst(index) ?? (this.#learned[this.#made(index)]! & 1) === 1
  }

  sample(index: number): Sample {
    if (this.#whole) return this.#whole.sample(index)
    if (this.#isClosed)
      throw new IftError('IFT_SAMPLE_RANGE', 'Samples were asked for after the data were released.')
    const ids = this.#log.read(this.#starts[this.#made(index)]!, this.#lengths[index]!)
    const labels = new Int32Array(ids.length)
    for (let i = 0; i < ids.length; i++) {
      const stored = ids[i]!
      labels[i] = stored < 0 ? ignoredLabel : stored
      if (stored < 0) ids[i] = ~stored
    }
    return { ids, labels }
  }

  /** Makes the samples of rows that were not made yet. */
  async prepare(indexes: ArrayLike<number>): Promise<void> {
    if (!this.isFilling) return
    const missing: number[] = []
    const awaited = new Set<Promise<void>>()
    for (let i = 0; i < indexes.length; i++) {
      const row = indexes[i]!
      if (this.#lengths[row] !== unmade) continue
      const pending = this.#pending.get(row)
      if (pending) awaited.add(pending)
      else missing.push(row)
    }
    const rows = [...new Set(missing)].sort((a, b) => a - b)
    for (let from = 0; from < rows.length; from += batchRows) {
      const batch = rows.slice(from, from + batchRows)
      const making = this.#make(batch).finally(() => {
        for (const row of batch) this.#pending.delete(row)
      })
      for (const row of batch) this.#pending.set(row, making)
      awaited.add(making)
    }
    // All of them end before an error of one is thrown, always that of the lowest row: the same, whatever else is under way.
    const failed = (await Promise.allSettled(awaited)).find(({ status }) => status === 'rejected')
    if (failed?.status === 'rejected') throw failed.reason
  }

  /** Makes the samples of wanted rows among the numbers `from` up to `to`. */
  async prepareWanted(from: number, to: number): Promise<void> {
    const { rows } = this.#options
    const numbers = Array.from({ length: Math.min(to, this.count) - from }, (_, i) => from + i)
    if (rows === null) return this.prepare(numbers)
    let first = 0
    for (let last = rows.length; first < last;) {
      const middle = (first + last) >> 1
      if (rows[middle]! < from) first = middle + 1
      else last = middle
    }
    let end = first
    while (end < rows.length && rows[end]! < to) end++
    return this.prepare(rows.subarray(first, end))
  }

  /**
   * When all were made, writes them to the file `path` in the order of the rows, and reads them from there from now on. `IFT_CACHE_WRITE`
   * when they cannot be written; they are read from where they are then.
   */
  async finish(path: string): Promise<void> {
    if (this.#whole || !this.isMade) return
    const dir = dirname(path)
    this.#adopt(
      await alone(path, async () => {
        const there = await SampleStore.open(path)
        if (there) return there
        const builder = new SampleStoreBuilder({ dir })
        try {
          const rows = this.#options.rows
          const examples = rows?.length ?? this.count
          for (let example = 0; example < examples; example++) {
            const row = rows?.[example] ?? example
            if (this.length(row) === 0) builder.addWithout(example)
            else builder.add(this.sample(row))
            if (example % batchRows !== batchRows - 1) continue
            await builder.flush()
            await new Promise((resolve) => setImmediate(resolve))
            if (this.#isClosed)
              throw new IftError('IFT_CACHE_WRITE', `${path}: the run ended before it was written.`)
          }
          return await builder.keep(path, this.#counts)
        } catch (error) {
          await builder.discard()
          throw error
        }
      }),
    )
  }

  /** Takes the samples that another process has written meanwhile, if it has. */
  async adopt(path: string): Promise<boolean> {
    const there = this.#whole === null && existsSync(path) ? await SampleStore.open(path) : null
    if (there) this.#adopt(there)
    return this.#whole !== null
  }

  #adopt(store: SampleStore): void {
    if (this.#isClosed || this.#whole) {
      store.close()
      return
    }
    this.#store = store
    this.#whole = new RowSamples(store, this.count, this.#options.rows, this.sha256)
    this.#log.close()
  }

  async #make(rows: readonly number[]): Promise<void> {
    const made = await this.#options.make(rows)
    if (this.#isClosed || this.#whole) return
    const counts = { ...this.#counts }
    for (const [i, encoded] of made.entries()) {
      const row = rows[i]!
      counts.examples++
      if ('dropped' in encoded) {
        counts[encoded.dropped]++
        this.#lengths[row] = 0
        continue
      }
      if (encoded.cut > 0) {
        counts.truncated++
        counts.cutTokens += encoded.cut
      }
      const { ids, labels } = encoded.sample
      const stored = new Int32Array(ids.length)
      let learned = 0
      for (let i = 0; i < ids.length; i++) {
        const isLearned = labels[i] !== ignoredLabel
        if (isLearned) learned += i === 0 ? 1 : 2
        stored[i] = isLearned ? ids[i]! : ~ids[i]!
      }
      this.#starts[row] = this.#log.add(stored)
      this.#learned[row] = learned
      this.#lengths[row] = ids.length
    }
    this.#counts = counts
  }

  #made(index: number): number {
    if (this.length(index) > 0) return index
    throw new IftError('IFT_SAMPLE_RANGE', `Row ${index} of ${this.count} has no sample.`)
  }

  close(): void {
    if (this.#isClosed) return
    this.#isClosed = true
    this.#store?.close()
    this.#log.close()
    this.#options.onClose?.()
  }
}
