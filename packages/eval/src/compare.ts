import { join } from 'node:path'
import { IftError, type TaskDefinition } from '@ift/core'
import type { EvalSample } from './results.js'
import { readSamples } from './samples-file.js'
import { corpusDifference, meanDifference, type ScoreDifference } from './difference.js'
import { holm } from './statistics/index.js'

/** How much better, or worse, this run is than another on the same items. */
export interface MetricDifference extends ScoreDifference {
  /** p among all metrics that are compared (Holm, 1979). */
  readonly adjusted: number
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
  const found: [string, ScoreDifference][] = []
  for (const [name, { kind, of }] of Object.entries(task.metrics)) {
    const isScored = ({ scores }: EvalSample) =>
      kind === 'corpus' ? Array.isArray(scores[name]) : typeof scores[name] === 'number'
    const pairs = both.filter((pair) => isScored(pair.own) && isScored(pair.other))
    if (pairs.length === 0) continue
    const scores = <T>(side: keyof Pair) => pairs.map((pair) => pair[side].scores[name] as T)
    const clusters = pairs.map(({ own: { cluster } }) => cluster)
    found.push([
      name,
      kind === 'corpus'
        ? corpusDifference(of!, scores('own'), scores('other'))
        : meanDifference(scores('own'), scores('other'), { clusters, isShare: kind === 'share' }),
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
