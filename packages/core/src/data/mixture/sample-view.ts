import { createHash } from 'node:crypto'
import { IftError } from '@ift/tensor'
import type { Sample } from '../../contract/data.js'
import type { Epochs } from '../epochs.js'
import { permutation } from '../random.js'
import type { SampleSource } from '../store/index.js'
import { interleave } from './interleave.js'
import type { Turns } from './turns.js'

/**
 * How parts follow each other: seeded through each other, one after the other, or in even alternation. In the last case
 * every beginning of an epoch holds of each part what its share of the epoch makes, within one sample.
 */
export type MixOrder = 'shuffled' | 'sequential' | 'interleaved'

/** Some samples of a source, and which of them an epoch takes. */
export interface ViewPart {
  readonly name: string
  readonly samples: SampleSource
  /** Their numbers in the source, ascending. */
  readonly rows: Int32Array
  /** Over positions in `rows`. */
  readonly turns: Turns
}

/** Some samples of several sources; nothing is copied. They are numbered part by part, in the order of the data. */
export class SampleView implements SampleSource, Epochs {
  readonly #parts: readonly ViewPart[]
  /** Number of the first sample of each part, and of all. */
  readonly #starts: readonly number[]
  readonly #order: MixOrder
  readonly #seed: number
  /** What was computed last and mostly holds for the next epoch: seeded places, and the parts in alternation. */
  #places: Int32Array | null = null
  #last: { readonly epoch: number; readonly rows: readonly Int32Array[] } | null = null
  #lastPresent: { readonly epoch: number; readonly rows: readonly Int32Array[] } | null = null
  #alternation: { readonly sizes: readonly number[]; readonly parts: Uint16Array } | null = null

  readonly #epochs: number
  readonly #byRows: boolean

  /**
   * `epochs` is how many there are, where samples were made of what those take alone. `byRows`: the order is one of all rows, of which those
   * without a sample are passed over; otherwise one of the rows with a sample.
   */
  constructor(
    parts: readonly ViewPart[],
    order: MixOrder,
    seed: number,
    {
      epochs = Infinity,
      byRows = false,
    }: { readonly epochs?: number | undefined; readonly byRows?: boolean } = {},
  ) {
    this.#parts = parts
    this.#epochs = epochs
    this.#byRows = byRows
    const starts = [0]
    for (const { rows } of parts) starts.push(starts.at(-1)! + rows.length)
    this.#starts = starts
    this.#order = order
    this.#seed = seed
  }

  get count(): number {
    return this.#starts.at(-1)!
  }

  /** What steps are cut from: with the rows that give no sample, where the order is one of rows. */
  get epochs(): Epochs {
    if (!this.#byRows) return this
    const parts = this.#parts
    return {
      whole: this.whole,
      steady: parts.every(({ turns }) => turns.steady),
      size: (epoch) => parts.reduce((sum, { turns }) => sum + turns.size(epoch), 0),
      order: (epoch, seed) => this.#orderOf(this.#taken(epoch), epoch, seed),
    }
  }

  /** Whether samples are still made; sizes and orders then have the rows of which it is not known whether they give one. */
  get isFilling(): boolean {
    return this.#parts.some(({ samples }) => samples.isFilling === true)
  }

  /** Makes the samples of these numbers, as far as they are not there. */
  async prepare(indexes: ArrayLike<number>): Promise<void> {
    if (!this.isFilling) return
    const rows = this.#parts.map((): number[] => [])
    for (let i = 0; i < indexes.length; i++) {
      const part = this.partOf(indexes[i]!)
      if (this.#parts[part]!.samples.isFilling === true)
        rows[part]!.push(this.#parts[part]!.rows[indexes[i]! - this.#starts[part]!]!)
    }
    const made = await Promise.allSettled(
      this.#parts.map(async ({ samples }, p) => {
        if (rows[p]!.length > 0) await samples.prepare?.(rows[p]!)
      }),
    )
    const failed = made.find(({ status }) => status === 'rejected')
    if (failed?.status === 'rejected') throw failed.reason
  }

  /** Whether every epoch has all samples. */
  get whole(): boolean {
    return this.#parts.every(({ rows, turns }) => turns.whole || rows.length === 0)
  }

  /** Whether every epoch has as many samples of each part. */
  get steady(): boolean {
    return this.#parts.every(({ samples, turns }) => (samples.hasGaps ? turns.whole : turns.steady))
  }

  /** Of the samples that it is taken from, the numbers of those that it has, and the order of a first epoch that is not shuffled. */
  get sha256(): string {
    const hash = createHash('sha256')
    for (const { samples, rows } of this.#parts) {
      hash.update(samples.sha256)
      for (const numbers of [Int32Array.of(rows.length), rows])
        hash.update(new Uint8Array(numbers.buffer, numbers.byteOffset, numbers.byteLength))
    }
    const order = this.epochs.order(0, null)
    return hash.update(new Uint8Array(order.buffer, order.byteOffset, order.byteLength)).digest('hex')
  }

  /** Samples of each part in an epoch. */
  sizes(epoch: number): number[] {
    return this.#parts.map(({ samples, turns }, p) =>
      samples.hasGaps && !samples.isFilling ? this.#present(epoch)[p]!.length : turns.size(epoch),
    )
  }

  size(epoch: number): number {
    return this.sizes(epoch).reduce((sum, size) => sum + size, 0)
  }

  order(epoch: number, seed: number | null): Int32Array {
    if (!this.#byRows) return this.#orderOf(this.#present(epoch), epoch, seed)
    const rows = this.#orderOf(this.#taken(epoch), epoch, seed)
    if (this.isFilling || !this.#parts.some(({ samples }) => samples.hasGaps)) return rows
    return rows.filter((index) => this.length(index) > 0)
  }

  #orderOf(ofParts: readonly Int32Array[], epoch: number, seed: number | null): Int32Array {
    const taken = ofParts.map((rows, p) => {
      const start = this.#starts[p]!
      return rows.map((row) => start + row)
    })
    const several = taken.length > 1
    if (several && this.#order === 'interleaved') return this.#interleaved(taken, epoch, seed)
    const samples = concat(taken)
    const count = samples.length
    const mixed = several && this.#order === 'shuffled' ? this.#shuffled(samples) : samples
    return seed === null ? mixed : permutation(count, 'order', seed, epoch).map((place) => mixed[place]!)
  }

  /** Number of the part that a sample belongs to. */
  partOf(index: number): number {
    const starts = this.#starts
    if (!(index >= 0 && index < this.count))
      throw new IftError('IFT_SAMPLE_RANGE', `Sample ${index} of ${this.count} was asked for.`)
    let [low, high] = [0, starts.length - 1]
    // Empty parts begin where the next one does.
    while (high - low > 1) {
      const middle = (low + high) >> 1
      if (starts[middle]! <= index) low = middle
      else high = middle
    }
    return low
  }

  length(index: number): number {
    const [samples, row] = this.#at(index)
    return samples.length(row)
  }

  trained(index: number): number {
    const [samples, row] = this.#at(index)
    return samples.trained(row)
  }

  learnsFirst(index: number): boolean {
    const [samples, row] = this.#at(index)
    return samples.learnsFirst(row)
  }

  sample(index: number): Sample {
    const [samples, row] = this.#at(index)
    return samples.sample(row)
  }

  /** Of what an epoch takes of each part, those with a sample. */
  #present(epoch: number): readonly Int32Array[] {
    if (this.#lastPresent?.epoch !== epoch) {
      const rows = this.#taken(epoch).map((taken, p) => {
        const { samples, rows } = this.#parts[p]!
        return samples.hasGaps ? taken.filter((row) => samples.length(rows[row]!) > 0) : taken
      })
      this.#lastPresent = { epoch, rows }
    }
    return this.#lastPresent.rows
  }

  /** Places in `rows` of what an epoch takes of each part. */
  #taken(epoch: number): readonly Int32Array[] {
    if (epoch >= this.#epochs)
      throw new IftError(
        'IFT_SAMPLE_RANGE',
        `Epoch ${epoch} was asked for; samples were made of what ${this.#epochs} take.`,
        'Set train.epochs or train.maxSteps to what the run will have.',
      )
    if (this.#last?.epoch !== epoch) {
      const rows = this.#parts.map(({ turns }) => turns.take(epoch))
      this.#last = { epoch, rows }
    }
    return this.#last.rows
  }

  /** For each part the samples that one of so many epochs takes: 1 at their numbers in the source. */
  takenIn(epochs: number): Uint8Array[] {
    return this.#parts.map(({ samples, rows, turns }) => {
      const isTaken = new Uint8Array(samples.count)
      for (let epoch = 0; epoch < (turns.whole ? 1 : epochs); epoch++)
        for (const row of turns.take(epoch)) isTaken[rows[row]!] = 1
      return isTaken
    })
  }

  #at(index: number): readonly [samples: SampleSource, row: number] {
    const part = this.partOf(index)
    const { samples, rows } = this.#parts[part]!
    return [samples, rows[index - this.#starts[part]!]!]
  }

  #shuffled(samples: Int32Array): Int32Array {
    if (this.#places?.length !== samples.length) this.#places = permutation(samples.length, 'mix', this.#seed)
    return this.#places.map((place) => samples[place]!)
  }

  /** The alternation is that of the sizes alone; a seed orders the samples inside each part. */
  #interleaved(taken: readonly Int32Array[], epoch: number, seed: number | null): Int32Array {
    const sizes = taken.map(({ length }) => length)
    if (this.#alternation?.sizes.join() !== sizes.join())
      this.#alternation = { sizes, parts: interleave(sizes) }
    const own =
      seed === null
        ? taken
        : taken.map((samples, p) =>
            permutation(samples.length, 'order', seed, epoch, p).map((place) => samples[place]!),
          )
    const next = sizes.map(() => 0)
    return Int32Array.from(this.#alternation.parts, (part) => own[part]![next[part]!++]!)
  }
}

function concat(arrays: readonly Int32Array[]): Int32Array {
  const all = new Int32Array(arrays.reduce((sum, { length }) => sum + length, 0))
  let at = 0
  for (const array of arrays) {
    all.set(array, at)
    at += array.length
  }
  return all
}
