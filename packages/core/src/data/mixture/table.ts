import { isFar, type PackCursor } from '../pack.js'
import type { Mixture } from './mixture.js'

/** A set of a mixture, by its resolved name. `taken`, `tokens` and the shares are those of the first epoch. */
export interface MixtureRow {
  readonly name: string
  /** Samples to train on: without duplicates and those held out. */
  readonly rows: number
  /** Samples that an epoch takes. */
  readonly taken: number
  /** Null while samples are still made. */
  readonly tokens: number | null
  /** Of all samples of the epoch, and of all its tokens; 0 where there are none. */
  readonly share: number
  readonly tokenShare: number | null
  /** How often the run sees a sample of the set, on average. */
  readonly epochs: number
  readonly heldOut: number
  /** Records that became no sample; null while samples are still made. */
  readonly dropped: number | null
  readonly duplicates: number
}

/** What a table tells of a set besides what its mixture knows. */
export interface MixedSet {
  readonly name: string
  readonly dropped: number | null
}

/**
 * The table of a mixture. `end` is where the run ends, and `seed` orders its epochs; `sets` are the parts of the mixture in their
 * order. Where the end is far, the epochs seen may be an estimate.
 */
export function mixtureTable(
  { train, counts }: Mixture,
  sets: readonly MixedSet[],
  end: PackCursor,
  seed: number | null,
): MixtureRow[] {
  const taken = train.sizes(0)
  const tokens = sets.map(() => 0)
  const { isFilling } = train
  if (!isFilling)
    for (const sample of train.order(0, null)) tokens[train.partOf(sample)]! += train.length(sample)
  const sum = (values: readonly number[]) => values.reduce((all, value) => all + value, 0)
  let seen = sets.map(() => 0)
  let epoch = 0
  // A later epoch that is no other than the first counts as it does; its rows are counted where they are soon found.
  for (const most = train.steady ? 1 : end.epoch; epoch < Math.min(most, end.epoch); epoch++) {
    if (isFar(epoch, sum(seen))) break
    for (const [p, size] of train.sizes(epoch).entries()) seen[p]! += size
  }
  if (epoch > 0) seen = seen.map((count) => (count * end.epoch) / epoch)
  if (end.position > 0) {
    if (train.whole || !isFar(end.epoch, sum(seen))) {
      for (const sample of train.epochs.order(end.epoch, seed).subarray(0, end.position))
        if (isFilling || train.length(sample) > 0) seen[train.partOf(sample)]!++
    } else seen = seen.map((count) => count * (1 + end.position / sum(seen)))
  }
  const [allTaken, allTokens] = [sum(taken), sum(tokens)]
  const ratio = (part: number, whole: number) => (whole === 0 ? 0 : part / whole)
  return sets.map(({ name, dropped }, p) => {
    const { rows, duplicates, heldOut } = counts[p]!
    const ofTokens = isFilling
      ? { tokens: null, tokenShare: null }
      : { tokens: tokens[p]!, tokenShare: ratio(tokens[p]!, allTokens) }
    return {
      name,
      rows,
      taken: taken[p]!,
      share: ratio(taken[p]!, allTaken),
      ...ofTokens,
      epochs: ratio(seen[p]!, rows),
      heldOut,
      dropped,
      duplicates,
    }
  })
}

/** Whether a table tells more than the numbers of the set itself. */
export const isMixture = (table: readonly MixtureRow[]): boolean =>
  table.length > 1 || table.some(({ rows, taken }) => rows !== taken)
