import { join } from 'node:path'
import { IftError, type TaskDefinition } from '@ift/core'
import type { EvalSample } from './results.js'
import { readSamples } from './samples-file.js'
import {
  bootstrap,
  holm,
  itemsNeeded,
  mcnemar,
  pairedDifference,
  signFlip,
  swapTest,
  type PairedDifference,
} from './statistics/index.js'

/** How much better, or worse, this run is than another on the same items. */
export interface MetricDifference extends PairedDifference {
  /** Chance of a difference of this size between two that are the same. */
  readonly p: number
  /**
   * McNemar's exact test for shares; flipped signs for other means, and of whole clusters where items share something; exchanged answers for
   * numbers of a corpus.
   */
  readonly test: 'mcnemar' | 'sign-flip' | 'swap'
  /** p among all metrics that are compared (Holm, 1979). */
  readonly adjusted: number
  /** Items on which a true difference of this size would be found with a chance of 80 %; null for none. */
  readonly needed: number | null
}

export interface Comparison {
  /** The samples of the other run. */
  readonly path: string
  /** Items that both have. */
  readonly items: number
  readonly differences: Readonly<Record<string, MetricDifference>>
}

/** Samples of another run by the items that they are about. IFT_EVAL_DATA where there is none. */
export async function samplesOf(place: string): Promise<{
  readonly path: string
  readonly samples: ReadonlyMap<string, EvalSample>
}> {
  const path = place.endsWith('.jsonl') ? place : join(place, 'samples.jsonl')
  const samples = new Map<string, EvalSample>()
  for await (const sample of readSamples(path)) samples.set(sample.id, sample)
  if (samples.size > 0) return { path, samples }
  throw new IftError(
    'IFT_EVAL_DATA',
    `${path}: expected samples of another run, found none.`,
    'Evaluate the other model on the same data first, with a folder of its own: --output DIR',
  )
}

interface Pair {
  readonly own: EvalSample
  readonly other: EvalSample
}

/** The difference of a number of a corpus, by bootstrap and by exchanged answers. */
function corpusDifference(
  name: string,
  of: (sums: readonly number[]) => number,
  pairs: readonly Pair[],
): Omit<MetricDifference, 'adjusted'> {
  const lists = pairs.map(({ own, other }) => [own.scores[name], other.scores[name]] as (readonly number[])[])
  const difference = (items: Int32Array, swapped?: Uint8Array) => {
    const sums: [number[], number[]] = [[], []]
    for (const item of items)
      for (const side of [0, 1] as const)
        for (const [i, part] of lists[item]![swapped?.[item] ? 1 - side : side]!.entries())
          sums[side][i] = (sums[side][i] ?? 0) + part
    return of(sums[0]) - of(sums[1])
  }
  const all = Int32Array.from(pairs.keys())
  const found = bootstrap(pairs.length, (items) => difference(items))
  const p = swapTest(pairs.length, (swapped) => difference(all, swapped))
  return { ...found, sd: null, p, test: 'swap', needed: null }
}

/** The difference of a mean of scores. */
function meanDifference(
  name: string,
  isShare: boolean,
  pairs: readonly Pair[],
): Omit<MetricDifference, 'adjusted'> {
  const first = pairs.map(({ own }) => own.scores[name] as number)
  const second = pairs.map(({ other }) => other.scores[name] as number)
  const clusters = pairs.map(({ own }, i) => own.cluster ?? `#${i}`)
  const sums = new Map<string, number>()
  for (const [i, cluster] of clusters.entries())
    sums.set(cluster, (sums.get(cluster) ?? 0) + first[i]! - second[i]!)
  const isClustered = sums.size < pairs.length
  const difference = pairedDifference(first, second, isClustered ? clusters : undefined)
  const { mean, sd } = difference
  const isExact = isShare && !isClustered
  return {
    ...difference,
    p: isExact ? mcnemar(first, second).p : signFlip([...sums.values()]).p,
    test: isExact ? 'mcnemar' : 'sign-flip',
    needed: mean === 0 || sd === null || sd === 0 || isClustered ? null : itemsNeeded(mean, sd),
  }
}

/** Compares two runs item by item. */
export function compareRuns(
  task: TaskDefinition,
  own: readonly EvalSample[],
  { path, samples }: Awaited<ReturnType<typeof samplesOf>>,
): Comparison {
  const both = own.flatMap((sample): Pair[] => {
    const other = samples.get(sample.id)
    return other?.question === sample.question ? [{ own: sample, other }] : []
  })
  if (both.length === 0)
    throw new IftError(
      'IFT_EVAL_DATA',
      `${path}: expected the questions of this run, found others.`,
      'Both runs need the same task and data.',
    )
  const found: [string, Omit<MetricDifference, 'adjusted'>][] = []
  for (const [name, { kind, of }] of Object.entries(task.metrics)) {
    const isScored = ({ scores }: EvalSample) =>
      kind === 'corpus' ? Array.isArray(scores[name]) : typeof scores[name] === 'number'
    const pairs = both.filter((pair) => isScored(pair.own) && isScored(pair.other))
    if (pairs.length === 0) continue
    found.push([
      name,
      kind === 'corpus' ? corpusDifference(name, of!, pairs) : meanDifference(name, kind === 'share', pairs),
    ])
  }
  const adjusted = holm(found.map(([, { p }]) => p))
  return {
    path,
    items: both.length,
    differences: Object.fromEntries(
      found.map(([name, one], i) => [name, { ...one, adjusted: adjusted[i]! }]),
    ),
  }
}
