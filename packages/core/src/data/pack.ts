import { IftError, type PromptSpan } from '@ift/tensor'
import { permutation } from './random.js'
import type { SampleSource } from './store.js'
import { ignoredLabel } from './encode.js'
import { prefixGroups } from './shared-prefixes.js'
import type { PackedBatch, Sample } from '../contract/data.js'

/** Where the next step begins. Small, JSON, part of a checkpoint. */
export interface PackCursor {
  readonly epoch: number
  /** Samples of the epoch that were used. */
  readonly position: number
}

export interface PackerOptions {
  /** Tokens of a micro-batch at most; sequences stay whole. */
  readonly microBatchTokens: number
  /** Sequences of a micro-batch at most. */
  readonly maxSequences?: number
  /** Lay out what samples of a micro-batch begin with once; see `PackedBatch.prefixes`. */
  readonly sharePrefixes?: boolean
  /** The part of a sample that the model reads in both directions, for such a model. */
  readonly promptOf?: ((ids: ArrayLike<number>) => PromptSpan) | undefined
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

/** Micro-batches of one optimiser step. Numbers without `local` are sums over all ranks, the same on each. */
export interface PackedStep {
  readonly epoch: number
  readonly samples: number
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
 * Lays samples end to end: positions begin anew with each, targets stay inside each. With `sharePrefixes` samples that
 * begin alike stand behind one copy of their beginning, and the order of the samples is another. `promptOf` finds what a
 * model reads in both directions.
 */
export function packSamples(
  samples: readonly Sample[],
  sharePrefixes = false,
  promptOf?: (ids: ArrayLike<number>) => PromptSpan,
): PackedBatch {
  const groups = sharePrefixes
    ? prefixGroups(samples)
    : samples.map((sample) => ({ samples: [sample], shared: 0 }))
  /** Sequences of the batch: rows `from` up to `to` of a sample, behind the rows of another sequence. */
  const parts: { sample: Sample; from: number; to: number; prefix: number }[] = []
  for (const { samples, shared } of groups) {
    const prefix = shared > 0 ? parts.length : -1
    if (shared > 0) parts.push({ sample: samples[0]!, from: 0, to: shared, prefix: -1 })
    for (const sample of samples) parts.push({ sample, from: shared, to: sample.ids.length, prefix })
  }
  const lengths = parts.map(({ from, to }) => to - from)
  const total = lengths.reduce((sum, length) => sum + length, 0)
  const ids = new Int32Array(total)
  const positions = new Int32Array(total)
  const targets = new Int32Array(total).fill(-1)
  let at = 0
  let trainedTokens = 0
  for (const { sample, from, to } of parts) {
    ids.set(sample.ids.subarray(from, to), at)
    for (let i = from; i < to; i++, at++) {
      positions[at] = i
      const target = sample.labels[i + 1]
      if (target === undefined || target === ignoredLabel) continue
      targets[at] = target
      trainedTokens++
    }
  }
  const batch: PackedBatch = {
    ids,
    positions,
    targets,
    lengths,
    trainedTokens,
    ...(promptOf && { prompts: parts.map(({ sample }) => promptOf(sample.ids)) }),
  }
  return groups.some(({ shared }) => shared > 0)
    ? { ...batch, prefixes: parts.map(({ prefix }) => prefix) }
    : batch
}

/** Cuts an order of samples into optimiser steps, and each step into micro-batches of every rank. */
export class Packer implements IterableIterator<PackedStep> {
  readonly #samples: SampleSource
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
    for (let i = 0; i < samples.count; i++)
      if (samples.length(i) > microBatchTokens)
        throw new IftError(
          'IFT_PACK_BUDGET',
          `Sample ${i} has ${samples.length(i)} tokens, a micro-batch takes ${microBatchTokens}.`,
          'Raise train.microBatchTokens to at least maxLength, or lower maxLength.',
        )
    this.#samples = samples
    this.#options = { ...options, rank, worldSize }
  }

  get cursor(): PackCursor {
    return this.#cursor
  }

  /** Continues at a cursor that a step gave. */
  seek(cursor: PackCursor): void {
    const { epoch, position } = cursor
    if (
      !Number.isInteger(epoch) ||
      epoch < 0 ||
      !Number.isInteger(position) ||
      position < 0 ||
      position > this.#samples.count
    )
      throw new IftError(
        'IFT_PACK_CURSOR',
        `The data position of the checkpoint (epoch ${epoch}, sample ${position}) does not fit ${this.#samples.count} samples.`,
        'Resume with the data that the run began with.',
      )
    this.#cursor = position === this.#samples.count ? { epoch: epoch + 1, position: 0 } : { epoch, position }
  }

  /** Optimiser steps of one epoch. */
  stepsInEpoch(epoch: number): number {
    const { samplesPerStep } = this.#options
    if (samplesPerStep !== undefined) return Math.ceil(this.#samples.count / samplesPerStep)
    let steps = 0
    for (let at = 0; at < this.#samples.count; at = this.#stepEnd(epoch, at)) steps++
    return steps
  }

  /** Optimiser steps of so many epochs; a fraction of the last one counts its steps up. */
  steps(epochs: number): number {
    let steps = 0
    const whole = Math.floor(epochs)
    for (let epoch = 0; epoch < whole; epoch++) steps += this.stepsInEpoch(epoch)
    return steps + (epochs > whole ? Math.ceil((epochs - whole) * this.stepsInEpoch(whole)) : 0)
  }

  /** The step at the cursor, which moves on; epochs follow each other without end. */
  step(): PackedStep {
    const { epoch, position } = this.#cursor
    const end = this.#stepEnd(epoch, position)
    const indexes = this.#epochOrder(epoch).subarray(position, end)
    const next = end === this.#samples.count ? { epoch: epoch + 1, position: 0 } : { epoch, position: end }
    let tokens = 0
    let trainedTokens = 0
    for (const index of indexes) {
      tokens += this.#samples.length(index)
      trainedTokens += this.#samples.trained(index)
    }
    const groups = this.#divide(indexes)
    const microBatches = groups.map((group) =>
      packSamples(
        group.map((index) => this.#samples.sample(index)),
        this.#options.sharePrefixes,
        this.#options.promptOf,
      ),
    )
    this.#cursor = next
    return {
      epoch,
      samples: indexes.length,
      tokens,
      trainedTokens,
      localSamples: groups.reduce((sum, group) => sum + group.length, 0),
      microBatches,
      next,
    }
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

  #epochOrder(epoch: number): Int32Array {
    if (this.#order?.epoch !== epoch) {
      const { count } = this.#samples
      const { shuffle, seed } = this.#options
      // Without shuffling every epoch has the one order.
      const indexes = shuffle
        ? permutation(count, 'order', seed, epoch)
        : Int32Array.from({ length: count }, (_, i) => i)
      this.#order = { epoch, indexes }
    }
    return this.#order.indexes
  }

  #stepEnd(epoch: number, position: number): number {
    const { samplesPerStep, tokensPerStep } = this.#options
    const { count } = this.#samples
    if (samplesPerStep !== undefined) return Math.min(count, position + samplesPerStep)
    const order = this.#epochOrder(epoch)
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
    const length = (index: number) => this.#samples.length(index)
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
      if (!bin) bins.push((bin = { tokens: 0, samples: [] }))
      bin.tokens += length(index)
      bin.samples.push(index)
    }
    return bins.map(({ samples }) => samples)
  }
}

export const createPacker = (samples: SampleSource, options: PackerOptions): Packer =>
  new Packer(samples, options)
