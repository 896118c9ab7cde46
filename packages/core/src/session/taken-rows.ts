import { createHash } from 'node:crypto'
import { join } from 'node:path'
import { IftError } from '@ift/tensor'
import { int, nonnegative } from '../config/options.js'
import type { ResolvedConfig } from '../config/schema.js'
import type { Portion, SampleView } from '../data/mixture/index.js'
import { createPacker, type PackerOptions } from '../data/pack.js'
import { touchFile, type SampleSource } from '../data/store/index.js'
import { writeFileAtomic } from '../files/atomic.js'
import { readJson } from '../files/read-json.js'
import { version } from '../version.js'
import type { FoundExamples } from './evaluations.js'
import type { KeptOptions } from './without-repeats.js'

/** Whether every epoch takes every row of a set. */
export const takesAll = ({ weight = 1, share, cap }: Portion) =>
  share === undefined && cap === undefined && Number.isInteger(weight)

/**
 * Whether a run may take less than all of its data, and numbers of rows decide which. What compares tokens, or counts them, needs all: `dedup`,
 * `tokens`, and `tokensPerStep` where the end of the run is a number of steps.
 */
export const takesByRow = (
  { dedup, train }: Pick<ResolvedConfig, 'dedup' | 'train'>,
  portions: readonly Portion[],
): boolean =>
  dedup === false &&
  (train.maxSteps === undefined || train.tokensPerStep === undefined) &&
  portions.every(({ tokens }) => tokens === undefined) &&
  !portions.every(takesAll)

/**
 * Whether the order of a run is one of row numbers, whether or not each gives a sample: it is known before a row is tokenised then. What
 * compares tokens, or counts them, orders the samples that there are.
 */
export const isOrderedByRows = (
  { dedup, train }: Pick<ResolvedConfig, 'dedup' | 'train'>,
  portions: readonly Portion[],
): boolean =>
  dedup === false && train.tokensPerStep === undefined && portions.every(({ tokens }) => tokens === undefined)

const rowCount = int().check(nonnegative())

/** Number of the examples of a dataset, which is kept: they are read for it, and not tokenised. */
export async function countRows(
  found: FoundExamples,
  { dir, keep, onFailure }: Omit<KeptOptions, 'before'>,
): Promise<number> {
  const placeOf = (key: string) =>
    join(
      dir,
      `${createHash('sha256')
        .update(JSON.stringify(['rows-1', version, key]))
        .digest('hex')
        .slice(0, 40)}.rows`,
    )
  if (found.key !== null) {
    const place = placeOf(found.key)
    const known = await readJson(place, rowCount).catch(() => null)
    if (known !== null) {
      await touchFile(place)
      return known
    }
  }
  let count = 0
  for await (const _ of found.examples()) count++
  // They are read again to be tokenised.
  found.dropped.clear()
  if (keep)
    try {
      const key = found.key ?? (await found.keyWhenRead?.()) ?? null
      if (key !== null) await writeFileAtomic(placeOf(key), String(count))
    } catch (error) {
      if (!(error instanceof IftError)) throw error
      onFailure(error)
    }
  return count
}

/** As many samples as there are rows, of which nothing is known. */
export const unread = (count: number): SampleSource => ({
  count,
  sha256: '',
  length: () => 1,
  trained: () => 1,
  learnsFirst: () => false,
  sample: () => {
    throw new IftError('IFT_SAMPLE_RANGE', 'A sample was asked for before it was made.')
  },
})

/** The steps of a run, as far as its end depends on them. */
export function stepsOf({ seed, shuffle, batchSize, tokensPerStep }: ResolvedConfig['train']): PackerOptions {
  const step = tokensPerStep === undefined ? { samplesPerStep: batchSize } : { tokensPerStep }
  return { seed, shuffle, microBatchTokens: Infinity, ...step }
}

/** Epochs that a run begins, if every row gives a sample. */
export function epochsOf(train: ResolvedConfig['train'], view: SampleView): number {
  if (train.maxSteps === undefined) return Math.ceil(train.epochs)
  if (view.count === 0) return 1
  const { epoch, position } = createPacker(view, stepsOf(train)).endOf(train.maxSteps)
  return epoch + (position > 0 ? 1 : 0)
}

/** Epochs that a run needs besides, because rows that gave no sample made the first ones shorter; 0 where there are enough. */
export function epochsMissing(train: ResolvedConfig['train'], view: SampleView, epochs: number): number {
  if (train.maxSteps === undefined) return 0
  let samples = 0
  for (let epoch = 0; epoch < epochs; epoch++) samples += view.size(epoch)
  if (samples === 0) return 0
  const missing = train.maxSteps - createPacker(view, stepsOf(train)).steps(epochs)
  return missing > 0 ? Math.ceil((missing * train.batchSize * epochs) / samples) : 0
}

/** Numbers of the rows that are taken. */
export function rowsOf(isTaken: Uint8Array): Int32Array {
  const rows = new Int32Array(isTaken.reduce((count, one) => count + one, 0))
  for (let row = 0, at = 0; row < isTaken.length; row++) if (isTaken[row] === 1) rows[at++] = row
  return rows
}

/** Some of the examples of a dataset; `IFT_FILE_CHANGED` when there are not as many as were counted. */
export function takenOf<F extends FoundExamples>(found: F, isTaken: Uint8Array): F {
  if (isTaken.every((one) => one === 1)) return found
  const { name, key, keyWhenRead } = found
  async function* examples() {
    let row = 0
    for await (const example of found.examples()) if (isTaken[row++] === 1) yield example
    if (row !== isTaken.length)
      throw new IftError(
        'IFT_FILE_CHANGED',
        `The data of ${name} changed while it was read: expected ${isTaken.length} examples, found ${row}.`,
        'Start again when nothing writes to it.',
      )
  }
  const sha256 = createHash('sha256').update(isTaken).digest('hex')
  const keyOf = (of: string | null) => (of === null ? null : JSON.stringify([of, 'rows', sha256]))
  return {
    ...found,
    examples,
    key: keyOf(key),
    keyWhenRead: keyWhenRead && (async () => keyOf(await keyWhenRead())),
  }
}
