import { IftError } from '@ift/tensor'
import { ignoredLabel } from '../encode.js'
import type { Sample } from '../../contract/data.js'
import type { Epochs } from '../epochs.js'
import { openStoreFile } from './store-file.js'
import type { Tokens } from './tokens.js'

/** Samples by number. */
export interface SampleSource {
  readonly count: number
  /** Whether there are numbers without a sample, which have a length of 0. */
  readonly hasGaps?: boolean
  /** Whether all of them were looked at, and those without a sample gave none; false where some were not asked for. */
  readonly isWhole?: boolean
  /** Whether samples are still made: of a number that was not prepared nothing is known. */
  readonly isFilling?: boolean
  /** Makes samples that are asked for next; absent where all are there. */
  prepare?(indexes: ArrayLike<number>): Promise<void>
  /** Tokens of a sample. */
  length(index: number): number
  /** Tokens of it that are learned: those with a label behind the first position. */
  trained(index: number): number
  /** Whether its first token has a label, which virtual rows in front of it can predict. */
  learnsFirst(index: number): boolean
  sample(index: number): Sample
  /** sha256 of what decides the samples and their order, in hexadecimal. */
  readonly sha256: string
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

/** What a store knows of its samples and of the examples that they were made of. */
export interface StoreFacts {
  readonly counts: StoreCounts
  /** Records that gave no example, by reason. */
  readonly dropped: Readonly<Record<string, number>>
  /** sha256 of the samples in order. */
  readonly sha256: string
}

/** Of each sample [count] its length and its learned tokens, and the examples that gave no sample. */
export interface StoreIndex {
  readonly lengths: Int32Array
  /** Twice the number of learned tokens behind the first one of a sample, and 1 more where the first is learned. */
  readonly learned: Int32Array
  /** Their numbers among the examples, ascending. */
  readonly without: Int32Array
}

/** Samples by 64 whose first token is known; those between are counted from it. */
const stride = 64

/**
 * Tokenised samples. Of each, its length and its number of learned tokens are in memory, 8 bytes; the tokens lie in a file or in memory.
 * A token that is learned is stored as its id, another one as the bits of its id inverted, which is negative.
 */
export class SampleStore implements SampleSource {
  readonly #tokens: Tokens
  readonly #lengths: Int32Array
  readonly #learned: Int32Array
  readonly #starts: Float64Array
  readonly counts: StoreCounts
  readonly dropped: Readonly<Record<string, number>>
  readonly sha256: string
  /** Tokens of all samples. */
  readonly tokens: number

  /** Numbers of the examples that gave no sample, ascending. */
  readonly without: Int32Array

  constructor(
    tokens: Tokens,
    { lengths, learned, without }: StoreIndex,
    { counts, dropped, sha256 }: StoreFacts,
  ) {
    this.#tokens = tokens
    this.#lengths = lengths
    this.#learned = learned
    this.without = without
    this.counts = counts
    this.dropped = dropped
    this.sha256 = sha256
    this.#starts = new Float64Array(Math.ceil(lengths.length / stride))
    let start = 0
    for (let i = 0; i < lengths.length; i++) {
      if (i % stride === 0) this.#starts[i / stride] = start
      start += lengths[i]!
    }
    this.tokens = start
  }

  /** Opens a file that `SampleStoreBuilder.keep` wrote; null when there is none or when it is not whole, so that it is made again. */
  static async open(path: string): Promise<SampleStore | null> {
    const opened = await openStoreFile(path)
    return opened && new SampleStore(opened.tokens, opened.index, opened.facts)
  }

  get count(): number {
    return this.#lengths.length
  }

  /** Learned tokens of all samples. */
  get trainedTokens(): number {
    return this.#learned.reduce((sum, learned) => sum + (learned >> 1), 0)
  }

  length(index: number): number {
    return this.#lengths[index]!
  }

  trained(index: number): number {
    return this.#learned[index]! >> 1
  }

  learnsFirst(index: number): boolean {
    return (this.#learned[index]! & 1) === 1
  }

  sample(index: number): Sample {
    const length = this.#lengths[index]
    if (length === undefined)
      throw new IftError('IFT_SAMPLE_RANGE', `Sample ${index} of ${this.count} was asked for.`)
    const first = index - (index % stride)
    let start = this.#starts[first / stride]!
    for (let i = first; i < index; i++) start += this.#lengths[i]!
    const ids = this.#tokens.read(start, length)
    const labels = new Int32Array(length)
    for (let i = 0; i < length; i++) {
      const stored = ids[i]!
      if (stored >= 0) labels[i] = stored
      else {
        ids[i] = ~stored
        labels[i] = ignoredLabel
      }
    }
    return { ids, labels }
  }

  /** Closes the file of the samples, if they lie in one. */
  close(): void {
    this.#tokens.close()
  }
}
