import { createHash } from 'node:crypto'
import { IftError } from '@ift/tensor'
import type { Sample } from '../../contract/data.js'
import { bytesOf } from './tokens.js'
import type { SampleSource, SampleStore } from './sample-store.js'

/**
 * Samples by the number of the row that each was made of. Rows of which none was made have none: those that were not asked for, and those
 * that gave none.
 */
export class RowSamples implements SampleSource {
  /** Whether there are rows without a sample, and whether each that has none was asked for. */
  readonly hasGaps: boolean
  readonly isWhole: boolean
  readonly #store: SampleStore
  readonly #sha256: string | undefined
  /** Sample of each row, or -1. */
  readonly #samples: Int32Array

  /**
   * `rows` are the numbers of the rows that the examples of the store were, ascending; all of `count` when null. `sha256` stands for what
   * decides the samples, where that is more lasting than their own.
   */
  constructor(store: SampleStore, count: number, rows: Int32Array | null, sha256?: string) {
    const examples = rows?.length ?? count
    if (store.count + store.without.length !== examples)
      throw new IftError(
        'IFT_FILE_CHANGED',
        `The data changed while they were read: expected ${examples} examples, found ${store.count + store.without.length}.`,
        'Start again when nothing writes to them.',
      )
    this.#store = store
    this.#sha256 = sha256
    this.isWhole = rows === null
    this.hasGaps = store.count < count
    this.#samples = new Int32Array(count).fill(-1)
    let [sample, without] = [0, 0]
    for (let example = 0; example < examples; example++)
      if (store.without[without] === example) without++
      else this.#samples[rows?.[example] ?? example] = sample++
  }

  get count(): number {
    return this.#samples.length
  }

  get sha256(): string {
    if (this.#sha256 !== undefined) return this.#sha256
    return createHash('sha256').update(this.#store.sha256).update(bytesOf(this.#samples)).digest('hex')
  }

  length(index: number): number {
    const sample = this.#samples[index]!
    return sample < 0 ? 0 : this.#store.length(sample)
  }

  trained(index: number): number {
    return this.#store.trained(this.#at(index))
  }

  learnsFirst(index: number): boolean {
    return this.#store.learnsFirst(this.#at(index))
  }

  sample(index: number): Sample {
    return this.#store.sample(this.#at(index))
  }

  #at(index: number): number {
    const sample = this.#samples[index] ?? -1
    if (sample >= 0) return sample
    throw new IftError('IFT_SAMPLE_RANGE', `Row ${index} of ${this.count} has no sample.`)
  }
}
