import { createPacker, type PackCursor, type Packer, type PackerOptions } from '../data/pack.js'
import type { SampleView } from '../data/mixture/index.js'
import type { SampleFeed } from '../train/sample-feed.js'
import type { Filling } from './fill-rows.js'

/** Rows that are asked for at once. */
const batchRows = 512
/** Steps whose samples are made before the first of them is: what is wrong with a row is known, on every rank, before the step that needs it. */
const stepsAhead = 4
/** Rows that a rank which keeps nothing makes beyond those that it has trained on. */
const mostAhead = 8192
/** Milliseconds between two looks at what another rank has written. */
const lookInterval = 5000

export interface FeedParts {
  readonly train: SampleView
  readonly validation: SampleView | null
  readonly fillings: readonly Filling[]
  /** The packer of the run; its cursor is where the next step begins. */
  readonly packer: Packer
  readonly packing: PackerOptions
  /** Where the run ends. */
  readonly end: PackCursor
  /** Whether this process makes all samples and keeps them; others make those of their next steps, until they find them kept. */
  readonly keeps: boolean
  /** Told once that all samples were made. */
  readonly onMade: () => unknown
  /** Told of samples that cannot be kept, or made and are not needed. */
  readonly onWarning: (message: string) => unknown
}

const isBefore = (a: PackCursor, b: PackCursor) =>
  a.epoch < b.epoch || (a.epoch === b.epoch && a.position < b.position)

const turn = () => new Promise<void>((resolve) => setImmediate(resolve))
const messageOf = (error: unknown) => (error instanceof Error ? error.message : String(error))

/**
 * Makes the samples of a run while it trains: those of its next steps before them, and beside training the others, in the order in which the
 * run will need them. When all were made, they are kept for the next time.
 */
export class RowFeed implements SampleFeed {
  readonly #parts: FeedParts
  #failure: { readonly error: unknown } | null = null
  #making: Promise<void> | null = null
  /** Rows that were made beyond the next step. */
  #lead = 0
  #wake: (() => void) | null = null
  #isClosed = false

  constructor(parts: FeedParts) {
    this.#parts = parts
  }

  get failure(): { readonly error: unknown } | null {
    return this.#failure
  }

  async next(): Promise<void> {
    const { train, packer, end } = this.#parts
    if (!train.isFilling) return
    let { indexes, next } = packer.ahead(1)
    this.#lead -= indexes.length
    await train.prepare(indexes)
    for (let step = 1; step < stepsAhead && this.#failure === null && isBefore(next, end); step++) {
      ;({ indexes, next } = packer.ahead(1, next))
      await train.prepare(indexes).catch(this.#fail)
    }
    this.#making ??= this.#makeAll().catch(this.#fail)
    this.#wake?.()
    // A device that computes on this thread leaves no time for what other threads have tokenised.
    await turn()
  }

  async heldOut(): Promise<void> {
    const { validation } = this.#parts
    if (validation?.isFilling) await validation.prepare(validation.epochs.order(0, null))
  }

  /**
   * Ends what is under way. `waits`: where all samples were made and are being written, this ends first, so that the next run finds them.
   */
  async end(waits: boolean): Promise<void> {
    const isMade = this.#parts.fillings.every(({ samples }) => samples.isMade)
    if (!waits || !isMade) this.#isClosed = true
    this.#wake?.()
    await this.#making
    this.#isClosed = true
  }

  readonly #fail = (error: unknown): void => {
    if (!this.#isClosed) this.#failure ??= { error }
  }

  async #makeAll(): Promise<void> {
    const { train, validation, fillings, packer, packing, end, keeps } = this.#parts
    const isClosed = () => this.#isClosed
    const isMade = () => isClosed() || fillings.every(({ samples }) => samples.isMade)
    // One with an order of its own: this one may be epochs ahead.
    const own = createPacker(train, packing)
    let looked = performance.now()
    const make = async (view: SampleView, indexes: Int32Array) => {
      for (let from = 0; from < indexes.length && !isMade(); from += batchRows) {
        const batch = indexes.subarray(from, from + batchRows)
        await view.prepare(batch)
        await turn()
        if (keeps) continue
        this.#lead += batch.length
        if (performance.now() - looked > lookInterval) {
          for (const { samples, path } of fillings) await samples.adopt(path)
          looked = performance.now()
        }
        while (this.#lead > mostAhead && !isMade())
          await new Promise<void>((resolve) => (this.#wake = resolve))
      }
    }
    let cursor = packer.cursor
    for (let isFirst = true; isBefore(cursor, end) && !isMade(); isFirst = false) {
      const { epoch } = cursor
      while (cursor.epoch === epoch && isBefore(cursor, end) && !isMade()) {
        const { indexes, next } = own.ahead(batchRows, cursor)
        await make(train, indexes)
        cursor = next
      }
      if (isFirst && validation && keeps) await make(validation, validation.epochs.order(0, null))
    }
    if (!keeps || isClosed()) return
    try {
      for (const { samples } of fillings)
        for (let from = 0; from < samples.count && !samples.isMade && !isClosed(); from += batchRows) {
          await samples.prepareWanted(from, from + batchRows)
          await turn()
        }
      for (const { samples, path } of fillings) if (!isClosed()) await samples.finish(path)
    } catch (error) {
      // The run needs nothing more.
      if (!isClosed()) this.#parts.onWarning(`Not kept for the next time: ${messageOf(error)}`)
      return
    }
    if (!isClosed()) await this.#parts.onMade()
  }
}
