import { IftError } from '@ift/tensor'
import { permutation } from '../random.js'
import type { SampleSource } from '../store/index.js'
import { amountsOf, type Portion } from './amounts.js'
import { SampleView, type MixOrder, type ViewPart } from './sample-view.js'
import { Turns } from './turns.js'

export interface MixturePart extends Portion {
  readonly name: string
  readonly samples: SampleSource
  /** Number of the entry that it belongs to: parts of one entry share its cap, tokens and share. Its own when absent. */
  readonly entry?: number | undefined
  /** Records that became no sample, and examples that were left out as they were read; for messages. */
  readonly dropped?: number
  readonly leftOut?: number
}

export interface MixtureOptions {
  readonly order: MixOrder
  readonly seed: number
  /** Take the first of samples with the same tokens only. */
  readonly dedup: boolean
  /** Samples held out: a whole number, or a share below 1. */
  readonly validation: { readonly size: number; readonly seed: number }
  /** Epochs that there are, where samples were made of what those take alone. */
  readonly epochs?: number
  /** Whether the order is one of all rows, those without a sample among them, so that it does not depend on which those are. */
  readonly byRows?: boolean
}

/** What became of the samples of a part. */
export interface PartCounts {
  /** Samples to train on; where it is known of some rows alone whether they gave one, rows, and none if none of those did. */
  readonly rows: number
  /** Samples that `dedup` took out. */
  readonly duplicates: number
  readonly heldOut: number
}

export interface Mixture {
  readonly train: SampleView
  readonly validation: SampleView
  /** By part. */
  readonly counts: readonly PartCounts[]
}

/** FNV-1a over the ids. */
function hashIds(ids: Int32Array): number {
  let hash = 0x811c9dc5
  for (const id of ids) hash = Math.imul(hash ^ id, 0x01000193)
  return hash >>> 0
}

const sameIds = (a: Int32Array, b: Int32Array) => a.length === b.length && a.every((id, i) => id === b[i])

/** Numbers of the samples whose tokens did not occur before, over all parts in order. */
function withoutDuplicates(parts: readonly MixturePart[]): Int32Array[] {
  // Places by hash; several only when hashes collide.
  const seen = new Map<number, number | number[]>()
  const starts = [0]
  for (const { samples } of parts) starts.push(starts.at(-1)! + samples.count)
  const idsAt = (place: number) => {
    const part = starts.findLastIndex((start) => start <= place)
    return parts[part]!.samples.sample(place - starts[part]!).ids
  }
  return parts.map(({ samples }, p) => {
    const kept: number[] = []
    for (let i = 0; i < samples.count; i++) {
      const { ids } = samples.sample(i)
      const hash = hashIds(ids)
      const before = seen.get(hash)
      const places = before === undefined ? [] : typeof before === 'number' ? [before] : before
      if (places.some((place) => sameIds(idsAt(place), ids))) continue
      const place = starts[p]! + i
      seen.set(hash, before === undefined ? place : [...places, place])
      kept.push(i)
    }
    return Int32Array.from(kept)
  })
}

function checkPortion({ name, weight = 1, share = 1, cap = 1, tokens = 1 }: MixturePart): void {
  const fault = (field: string, expected: string, found: number, like: string) =>
    new IftError(
      'IFT_DATA_WEIGHT',
      `data: ${field} of "${name}": expected ${expected}, found ${found}.`,
      `Set ${field}: ${like}, or leave it out.`,
    )
  if (!(weight > 0 && Number.isFinite(weight))) throw fault('weight', 'a number above 0', weight, '2')
  if (!(share > 0 && share <= 1)) throw fault('share', 'a number above 0 and at most 1', share, '0.25')
  for (const [field, value, like] of [
    ['cap', cap, '200000'],
    ['tokens', tokens, '2M'],
  ] as const)
    if (!(Number.isSafeInteger(value) && value > 0)) throw fault(field, 'a whole number above 0', value, like)
}

/** Why parts have no sample to train on. */
export function whyEmpty(
  parts: readonly (Pick<MixturePart, 'dropped' | 'leftOut'> & Omit<PartCounts, 'rows'>)[],
): string {
  const sum = (of: (part: (typeof parts)[number]) => number) => parts.reduce((all, part) => all + of(part), 0)
  const reasons = [
    [sum(({ dropped = 0 }) => dropped), 'dropped'],
    [sum(({ leftOut = 0 }) => leftOut), 'left out by dedup or decontaminate'],
    [sum(({ duplicates }) => duplicates), 'with the tokens of earlier ones'],
    [sum(({ heldOut }) => heldOut), 'held out for validation'],
  ] as const
  const there = reasons.filter(([count]) => count > 0)
  return there.length === 0
    ? 'there is no record'
    : there.map(([count, what]) => `${count.toLocaleString('en')} ${what}`).join(', ')
}

/** IFT_DATA_EMPTY for an entry with a share and without a sample: its share would silently be that of the others. */
function checkShares(parts: readonly MixturePart[], counts: readonly PartCounts[]): void {
  const withCounts = parts.map((part, p) => ({ ...part, ...counts[p]!, entry: part.entry ?? -1 - p }))
  for (const { share, entry } of withCounts) {
    const own = withCounts.filter((part) => part.entry === entry)
    if (share === undefined || own.some(({ rows }) => rows > 0)) continue
    const names = own.map(({ name }) => `"${name}"`).join(', ')
    throw new IftError(
      'IFT_DATA_EMPTY',
      `${names} with share: ${share} has nothing to train on: expected samples, found 0 (${whyEmpty(own)}).`,
      'Leave its entry out of data. What is dropped: npx ift data validate. What repeats: npx ift data audit.',
    )
  }
}

/** The parts of a view, with as much of each as the mixture says. */
function portioned(parts: readonly MixturePart[], rows: readonly Int32Array[], seed: number): ViewPart[] {
  const views = parts.map(({ name, samples }, p) => {
    const own = rows[p]!
    const turnRows = {
      count: own.length,
      length: (row: number) => samples.length(own[row]!),
      key: ['weight', seed, name],
    }
    return { name, samples, rows: own, turnRows }
  })
  const amounts = amountsOf(
    views.map(({ name, rows, turnRows }, p) => ({
      name,
      portion: parts[p]!,
      entry: parts[p]!.entry ?? -1 - p,
      rows: rows.length,
      tokens: () => rows.reduce((sum, _, row) => sum + turnRows.length(row), 0),
      taken: (amount) => new Turns(turnRows, amount).size(0),
    })),
  )
  return views.map(({ turnRows, ...view }, p) => ({ ...view, turns: new Turns(turnRows, amounts[p]!) }))
}

/**
 * Mixes samples of several datasets. Duplicates go first, then samples are held out over all parts evenly (so that no
 * held-out sample is trained on however often a part is taken), then weights, shares, caps and token budgets apply.
 */
export function mixSamples(parts: readonly MixturePart[], options: MixtureOptions): Mixture {
  const { dedup, order, seed, validation, epochs, byRows = false } = options
  if (parts.length > 0xffff)
    throw new IftError('IFT_DATA_PARTS', `${parts.length} datasets are more than 65535.`)
  for (const part of parts) checkPortion(part)

  const all = dedup
    ? withoutDuplicates(parts)
    : parts.map(({ samples }) => Int32Array.from({ length: samples.count }, (_, i) => i))
  const total = all.reduce((sum, { length }) => sum + length, 0)

  // A share of little data is one sample at least: a run that asked for an evaluation has one.
  const isShare = validation.size > 0 && validation.size < 1
  const heldOut = isShare ? Math.max(1, Math.round(validation.size * total)) : Math.floor(validation.size)
  if (total > 0 && heldOut > 0 && heldOut >= total)
    throw new IftError(
      'IFT_DATA_SPLIT',
      `validation.size: ${validation.size} holds out ${heldOut} of ${total} samples; none would be left to train on.`,
      'Give a share such as 0.1, a smaller number, or 0 for no validation.',
    )
  const isHeldOut = new Uint8Array(total)
  for (const place of permutation(total, 'validation', validation.seed).subarray(0, heldOut))
    isHeldOut[place] = 1

  const trainRows: Int32Array[] = []
  const heldRows: Int32Array[] = []
  let start = 0
  for (const indexes of all) {
    const from = start
    start += indexes.length
    trainRows.push(indexes.filter((_, i) => isHeldOut[from + i] === 0))
    heldRows.push(indexes.filter((_, i) => isHeldOut[from + i] === 1))
  }
  const samplesIn = ({ samples }: MixturePart, rows: Int32Array) => {
    if (!samples.hasGaps || samples.isFilling) return rows.length
    const count = rows.reduce((sum, row) => sum + (samples.length(row) > 0 ? 1 : 0), 0)
    return samples.isWhole || count === 0 ? count : rows.length
  }
  const counts = parts.map((part, p) => ({
    rows: samplesIn(part, trainRows[p]!),
    duplicates: part.samples.count - all[p]!.length,
    heldOut: part.samples.isWhole ? samplesIn(part, heldRows[p]!) : heldRows[p]!.length,
  }))
  checkShares(parts, counts)
  const whole = parts.map(({ name, samples }) => ({ name, samples }))
  return {
    train: new SampleView(portioned(parts, trainRows, seed), order, seed, { epochs, byRows }),
    validation: new SampleView(portioned(whole, heldRows, seed), 'sequential', seed, { byRows }),
    counts,
  }
}
