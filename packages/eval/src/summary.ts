import { IftError, type TaskDefinition, type TaskMetric, type TaskScore } from '@ift/core'
import type { EvalSample, MacroResult, MetricResult } from './results.js'
import { bootstrap, clustered, macroMean, tInterval, wilson, type Estimate } from './statistics/index.js'

/** What of a sample goes into a metric. */
type Scored = Pick<EvalSample, 'scores' | 'group' | 'cluster'>

/** Checks what a task gave for an item. */
export function checkedScores(
  task: TaskDefinition,
  scores: Readonly<Record<string, TaskScore>>,
): Readonly<Record<string, TaskScore>> {
  const fault = (message: string) =>
    new IftError(
      'IFT_PLUGIN_FAILED',
      `Task "${task.name}": ${message}`,
      'Report it to whoever made the task.',
    )
  for (const [name, score] of Object.entries(scores)) {
    const metric = task.metrics[name]
    if (!metric) throw fault(`it gave a score "${name}", which is none of its metrics.`)
    if (score === null) continue
    const fits =
      metric.kind === 'corpus'
        ? Array.isArray(score) && score.every((part) => Number.isFinite(part))
        : typeof score === 'number' &&
          Number.isFinite(score) &&
          (metric.kind !== 'share' || score === 0 || score === 1)
    if (!fits)
      throw fault(
        `${name} expected ${metric.kind === 'corpus' ? 'a list of numbers' : metric.kind === 'share' ? '0 or 1' : 'a number'}, found ${JSON.stringify(score)}.`,
      )
  }
  return scores
}

/** The number of a corpus: sums of the lists of its items, through the function of the metric. */
function corpusOf({ of }: TaskMetric, lists: readonly (readonly number[])[]): Estimate {
  const width = Math.max(...lists.map((list) => list.length))
  return bootstrap(lists.length, (items) => {
    const sums = new Array<number>(width).fill(0)
    for (const item of items) for (const [i, part] of lists[item]!.entries()) sums[i]! += part
    return of!(sums)
  })
}

/** A metric over samples; those that share a cluster are no independent draws. */
export function metricOf(name: string, metric: TaskMetric, samples: readonly Scored[]): MetricResult {
  const counted = samples.filter(({ scores }) => (scores[name] ?? null) !== null)
  const facts = {
    unscored: samples.length - counted.length,
    description: metric.description,
    lowerIsBetter: metric.lowerIsBetter ?? false,
  }
  if (counted.length === 0)
    return { mean: null, se: null, low: null, high: null, n: 0, method: 't', ...facts }
  if (metric.kind === 'corpus')
    return {
      ...corpusOf(
        metric,
        counted.map(({ scores }) => scores[name] as readonly number[]),
      ),
      ...facts,
    }
  const values = counted.map(({ scores }) => scores[name] as number)
  const clusters = counted.map(({ cluster }, i) => cluster ?? `#${i}`)
  if (new Set(clusters).size < clusters.length) return { ...clustered(values, clusters), ...facts }
  const estimate =
    metric.kind === 'share'
      ? wilson(values.filter((value) => value === 1).length, values.length)
      : tInterval(values)
  return { ...estimate, ...facts }
}

/** All metrics of a task over samples: of all, of each group, and the means of the groups. */
export function summarise(task: TaskDefinition, samples: readonly Scored[]) {
  const metricsOf = (of: readonly Scored[]): Record<string, MetricResult> =>
    Object.fromEntries(
      Object.entries(task.metrics).map(([name, metric]) => [name, metricOf(name, metric, of)]),
    )
  const names = [...new Set(samples.map(({ group }) => group))].filter((group) => group !== null)
  const groups = Object.fromEntries(
    names.sort().map((name) => [name, metricsOf(samples.filter(({ group }) => group === name))]),
  )
  const macro: Record<string, MacroResult> = {}
  if (names.length > 1)
    for (const name of Object.keys(task.metrics)) {
      const parts = Object.values(groups)
        .map((metrics) => metrics[name]!)
        .filter((part): part is MetricResult & Estimate => part.mean !== null)
      const found = macroMean(parts)
      if (!found) continue
      const { mean, se, low, high, n } = found
      macro[name] = { mean, se, low, high, n, groups: parts.length }
    }
  return { metrics: metricsOf(samples), groups, macro }
}
