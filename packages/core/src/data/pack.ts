import { IftError, type PromptSpan } from '@ift/tensor'
import { eachOnce, type Epochs } from './epochs.js'
import { packSamples } from './pack-samples.js'
import type { SampleSource } from './store/index.js'
import type { PackedBatch } from '../contract/data.js'

export { packSamples } from './pack-samples.js'

/** Where the next step begins. Small, JSON, part of a checkpoint. */
export interface PackCursor {
  readonly epoch: number
  /** Samples of the epoch that were used. */
  readonly position: number
}

export interface PackerOptions {
  /** Tokens of a micro-batch at most; sequences stay whole. */
  readonly microBatchTokens: number
  /** A longer sequence has a micro-batch to itself; otherwise it is refused, `IFT_PACK_BUDGET`. */
  readonly longAlone?: boolean
  /** Sequences of a micro-batch at most. */
  readonly maxSequences?: number
  /** Lay out what samples of a micro-batch begin with once; see `PackedBatch.prefixes`. */
  readonly sharePrefixes?: boolean
  /** The part of a sample that the model reads in both directions, for such a model. */
  readonly promptOf?: ((ids: ArrayLike<number>) => PromptSpan) | undefined
  /** Rows that a method puts in front of the samples; they count as tokens of a micro-batch. */
  readonly virtualRows?: VirtualRowsOf | undefined
  readonly seed: number
  /** A new seeded order every epoch; otherwise the order of the samples. */
  readonly shuffle: boolean
  readonly rank?: number
  readonly worldSize?: number
  /** Samples of an optimiser step over all ranks; the last step of an epoch takes what is left. */
  readonly samplesPerStep?: number | undefined
  /** Or tokens of an optimiser step over all ranks at most, and at least one sample. */
  readonly tokensPerStep?: number | undefined
}

/** Virtual rows of a micro-batch. */
export interface VirtualRowsOf {
  readonly rows: number
  /** Whether all sequences go on from one copy, or each has its own. */
  readonly copies: 'one' | 'each'
}

/** Micro-batches of one optimiser step. Numbers without `local` are sums over all ranks, the same on each. */
export interface PackedStep {
  readonly epoch: number
  /** None where no row of the step gave one. */
  readonly samples: number
  /** Rows of it that gave no sample. */
  readonly passedOver: number
  readonly tokens: number
  /** Tokens with a target: the divisor of the loss of the step. */
  readonly trainedTokens: number
  readonly localSamples: number
  /** Of this rank; empty when a small last step has fewer samples than ranks. */
  readonly microBatches: readonly PackedBatch[]
  /** Where the step after this one begins. */
  readonly next: PackCursor
}

/**
 * Whether so many epochs with so many samples in all are more than are counted one by one, some seconds of work, where the end of a run
 * is sought. Later ones are taken to be like them.
 */
export const isFar = (epochs: number, samples: number): boolean => samples + 256 * epochs > 2 ** 22

/** Samples that `Packer.fullest` looks at, tens of milliseconds of work; and micro-batches that it packs where samples share rows. */
const mostLookedAt = 2 ** 20
const sharingLookedAt = 8

/** Virtual rows of a micro-batch, and of every sequence in it. */
const virtualParts = ({ virtualRows }: Pick<PackerOptions, 'virtualRows'>) => ({
  once: virtualRows?.copies === 'one' ? virtualRows.rows : 0,
  each: virtualRows?.copies === 'each' ? virtualRows.rows : 0,
})

/** Cuts the order of an epoch, which the source of the samples gives, into optimiser steps, and each step into micro-batches of every rank. */
export class Packer implements IterableIterator<PackedStep> {
  readonly #samples: SampleSource
  readonly #epochs: Epochs
  readonly #options: PackerOptions & { rank: number; worldSize: number }
  #cursor: PackCursor = { epoch: 0, position: 0 }
  #order: { epoch: number; indexes: Int32Array } | null = null

  constructor(samples: SampleSource, options: PackerOptions) {
    const { rank = 0, worldSize = 1, microBatchTokens, samplesPerStep, tokensPerStep } = options
    if ((samplesPerStep === undefined) === (tokensPerStep === undefined))
      throw new IftError('IFT_PACK_STEP', 'A step needs either samplesPerStep or tokensPerStep.')
    if (!(rank >= 0 && rank < worldSize)) throw new IftError('IFT_PACK_RANK', `Rank ${rank} of ${worldSize}.`)
    if (samples.count === 0)
      throw new IftError(
        'IFT_DATA_EMPTY',
        'There is no sample to train on.',
        'See what was dropped: npx ift data stats. Raise maxLength if the samples are too long.',
      )
    const virtual = options.virtualRows?.rows ?? 0
    const isBounded = microBatchTokens < Infinity && options.longAlone !== true
    for (let i = 0; isBounded && i < samples.count; i++)
      if (samples.length(i) + virtual > microBatchTokens)
        throw new IftError(
          'IFT_PACK_BUDGET',
          `Sample ${i} has ${samples.length(i)} tokens${virtual ? ` and ${virtual} virtual ones` : ''}, a micro-batch takes ${microBatchTokens}.`,
          'Raise train.microBatchTokens to at least maxLength, or lower maxLength.',
        )
    this.#samples = samples
    this.#epochs = samples.epochs ?? eachOnce(samples.count)
    this.#options = { ...options, rank, worldSize }
  }

  get cursor(): PackCursor {
    return this.#cursor
  }

  /** Continues at a cursor that a step gave. */
  seek(cursor: PackCursor): void {
    const { epoch, position } = cursor
    const isCount = (value: number) => Number.isInteger(value) && value >= 0
    if (!isCount(epoch) || !isCount(position) || position > this.samplesIn(epoch))
      throw new IftError(
        'IFT_PACK_CURSOR',
        `The data position of the checkpoint (epoch ${epoch}, sample ${position}) does not fit ${this.samplesIn(isCount(epoch) ? epoch : 0)} samples.`,
        'Resume with the data that the run began with.',
      )
    this.#cursor = this.#behind(epoch, position)
  }

  /** Samples of an epoch. */
  samplesIn(epoch: number): number {
    return this.#epochs.size(epoch)
  }

  /** Optimiser steps of one epoch. */
  stepsInEpoch(epoch: number): number {
    const { samplesPerStep } = this.#options
    const count = this.samplesIn(epoch)
    if (samplesPerStep !== undefined) return Math.ceil(count / samplesPerStep)
    let steps = 0
    for (let at = 0; at < count; at = this.#stepEnd(epoch, at)) steps++
    return steps
  }

  /** Whether every epoch has as many steps. */
  get #isEven(): boolean {
    const { samplesPerStep, shuffle } = this.#options
    const { whole, steady } = this.#epochs
    return samplesPerStep !== undefined ? steady : whole && !shuffle
  }

  /** Optimiser steps of so many epochs; a fraction of the last one counts its steps up. */
  steps(epochs: number): number {
    let steps = 0
    const whole = Math.floor(epochs)
    if (this.#isEven) steps = whole * this.stepsInEpoch(0)
    else for (let epoch = 0; epoch < whole; epoch++) steps += this.stepsInEpoch(epoch)
    return steps + (epochs > whole ? Math.ceil((epochs - whole) * this.stepsInEpoch(whole)) : 0)
  }

  /**
   * Where a run of so many steps ends; an estimate where epochs differ in their steps and the end is far. The cursor stays.
   */
  endOf(steps: number): PackCursor {
    const { samplesPerStep } = this.#options
    let [end, left]: [PackCursor, number] = [{ epoch: 0, position: 0 }, steps]
    if (this.#isEven) {
      const whole = this.stepsInEpoch(0)
      end = { epoch: Math.floor(steps / whole), position: 0 }
      left = steps % whole
    } else
      for (let counted = 0; left > 0; end = { epoch: end.epoch + 1, position: 0 }) {
        if (isFar(end.epoch, counted)) {
          const epochs = (steps * end.epoch) / (steps - left)
          const epoch = Math.floor(epochs)
          return { epoch, position: Math.floor(((epochs - epoch) * counted) / end.epoch) }
        }
        const whole = this.stepsInEpoch(end.epoch)
        if (left < whole) break
        left -= whole
        counted += this.samplesIn(end.epoch)
      }
    if (samplesPerStep !== undefined) return { ...end, position: left * samplesPerStep }
    for (; left > 0; left--) end = { ...end, position: this.#stepEnd(end.epoch, end.position) }
    return end
  }

  /** The step at the cursor, which moves on; epochs follow each other without end. */
  step(): PackedStep {
    const { virtualRows } = this.#options
    const { position } = this.#cursor
    let { epoch } = this.#cursor
    // An epoch whose rows gave no sample has no step.
    while (position === 0 && this.samplesIn(epoch) === 0) epoch++
    const end = this.#stepEnd(epoch, position)
    const rows = this.#epochOrder(epoch).subarray(position, end)
    const indexes = this.#present(rows)
    const next = this.#behind(epoch, end)
    let tokens = 0
    let trainedTokens = 0
    for (const index of indexes) {
      tokens += this.#samples.length(index)
      trainedTokens += this.#samples.trained(index)
      if (virtualRows !== undefined && this.#samples.learnsFirst(index)) trainedTokens++
    }
    const groups = this.#divide(indexes)
    const microBatches = groups.map((group) => this.#pack(group))
    this.#cursor = next
    return {
      epoch,
      samples: indexes.length,
      passedOver: rows.length - indexes.length,
      tokens,
      trainedTokens,
      localSamples: groups.reduce((sum, group) => sum + group.length, 0),
      microBatches,
      next,
    }
  }

  /**
   * The micro-batch of this rank with the most rows, virtual ones included, among the first `steps` of a run, as far as its first
   * 2^20 samples go; where samples share rows, of those with the most tokens. The cursor stays. Null when this rank gets none.
   */
  fullest(steps: number): PackedBatch | null {
    const order = this.#order
    const { microBatchTokens, sharePrefixes } = this.#options
    const kept = sharePrefixes ? sharingLookedAt : 1
    const { once, each } = virtualParts(this.#options)
    /** Fullest first. */
    const found: { rows: number; group: readonly number[] }[] = []
    const rowsOf = (indexes: Iterable<number>) => {
      let rows = once
      for (const index of indexes) rows += this.#samples.length(index) + each
      return rows
    }
    const enough = () => (found.length < kept ? 0 : found.at(-1)!.rows)
    let { epoch, position }: PackCursor = { epoch: 0, position: 0 }
    for (let step = 0, samples = 0; step < steps && samples < mostLookedAt; step++) {
      const end = this.#stepEnd(epoch, position)
      const indexes = this.#present(this.#epochOrder(epoch).subarray(position, end))
      if (rowsOf(indexes) > enough())
        for (const group of this.#divide(indexes)) {
          const rows = rowsOf(group)
          if (rows <= enough()) continue
          found.push({ rows, group })
          found.sort((a, b) => b.rows - a.rows)
          found.length = Math.min(found.length, kept)
        }
      // There is hardly a fuller one.
      if (enough() > 0.99 * microBatchTokens) break
      samples += indexes.length
      ;({ epoch, position } = this.#behind(epoch, end))
    }
    this.#order = order
    const batches = found.map(({ group }) => this.#pack(group))
    const packedRows = ({ ids, lengths }: PackedBatch) => ids.length + lengths.length * each
    return batches.reduce<PackedBatch | null>(
      (most, batch) => (most && packedRows(most) >= packedRows(batch) ? most : batch),
      null,
    )
  }

  /**
   * Of what follows the cursor `from`, that of the packer when it is absent, so many numbers or more, up to the end of an epoch; and where
   * that ends. The cursor stays.
   */
  ahead(count: number, from: PackCursor = this.#cursor): { indexes: Int32Array; next: PackCursor } {
    const { position } = from
    let { epoch } = from
    while (position === 0 && this.samplesIn(epoch) === 0) epoch++
    let end = position
    while (end - position < count && end < this.samplesIn(epoch)) end = this.#stepEnd(epoch, end)
    return { indexes: this.#epochOrder(epoch).subarray(position, end), next: this.#behind(epoch, end) }
  }

  /** Makes the samples of the step at the cursor, where they are still made. */
  async prepare(): Promise<void> {
    if (this.#samples.isFilling) await this.#samples.prepare!(this.ahead(1).indexes)
  }

  /** Makes the samples of the steps from the cursor to the end of its epoch. */
  async prepareEpoch(): Promise<void> {
    if (this.#samples.isFilling) await this.#samples.prepare!(this.ahead(Infinity).indexes)
  }

  next(): IteratorResult<PackedStep, never> {
    return { done: false, value: this.step() }
  }

  [Symbol.iterator](): this {
    return this
  }

  /** The steps from the cursor to the end of its epoch. */
  *restOfEpoch(): Generator<PackedStep, void> {
    const { epoch } = this.#cursor
    while (this.#cursor.epoch === epoch) yield this.step()
  }

  #pack(indexes: readonly number[]): PackedBatch {
    const { sharePrefixes, promptOf, virtualRows } = this.#options
    const samples = indexes.map((index) => this.#samples.sample(index))
    return packSamples(samples, sharePrefixes, promptOf, virtualRows !== undefined)
  }

  #epochOrder(epoch: number): Int32Array {
    if (this.#order?.epoch !== epoch) {
      const { shuffle, seed } = this.#options
      this.#order = { epoch, indexes: this.#epochs.order(epoch, shuffle ? seed : null) }
    }
    return this.#order.indexes
  }

  /** Those of some numbers that have a sample. */
  #present(indexes: Int32Array): Int32Array {
    return indexes.filter((index) => this.#samples.length(index) > 0)
  }

  /** A position of an epoch, or the beginning of the next one. */
  #behind(epoch: number, position: number): PackCursor {
    return position === this.samplesIn(epoch) ? { epoch: epoch + 1, position: 0 } : { epoch, position }
  }

  #stepEnd(epoch: number, position: number): number {
    const { samplesPerStep, tokensPerStep } = this.#options
    if (samplesPerStep !== undefined) return Math.min(this.samplesIn(epoch), position + samplesPerStep)
    const order = this.#epochOrder(epoch)
    const count = order.length
    let end = position
    for (let tokens = 0; end < count; end++) {
      tokens += this.#samples.length(order[end]!)
      if (tokens > tokensPerStep! && end > position) break
    }
    return end
  }

  /**
   * This rank's samples of a step, in micro-batches. Longest first, a sample goes to the rank with the fewest tokens
   * (no rank has more than 4/3 of the best possible, Graham 1969) and there into the first micro-batch with room.
   */
  #divide(indexes: Int32Array): number[][] {
    const { rank, worldSize, microBatchTokens, maxSequences = Infinity } = this.#options
    const { once, each } = virtualParts(this.#options)
    const length = (index: number) => this.#samples.length(index) + each
    const byLength = Array.from(indexes, (index, order) => ({ index, order })).sort(
      (a, b) => length(b.index) - length(a.index) || a.order - b.order,
    )
    const load = new Float64Array(worldSize)
    const bins: { tokens: number; samples: number[] }[] = []
    for (const { index } of byLength) {
      let lightest = 0
      for (let r = 1; r < worldSize; r++) if (load[r]! < load[lightest]!) lightest = r
      load[lightest]! += length(index)
      if (lightest !== rank) continue
      let bin = bins.find(
        ({ tokens, samples }) => tokens + length(index) <= microBatchTokens && samples.length < maxSequences,
      )
      if (!bin) bins.push((bin = { tokens: once, samples: [] }))
      bin.tokens += length(index)
      bin.samples.push(index)
    }
    return bins.map(({ samples }) => samples)
  }
}

export const createPacker = (samples: SampleSource, options: PackerOptions): Packer =>
  new Packer(samples, options)
