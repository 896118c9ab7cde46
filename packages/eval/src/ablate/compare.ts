import type { TaskDefinition, TaskScore } from '@ift/core'
import { corpusDifference, meanDifference, type ScoreDifference } from '../difference.js'
import type { TaskEvaluation } from '../evaluate.js'
import type { EvalSample } from '../results.js'
import { bootstrap, clustered, holm, tInterval, wilson, type Estimate } from '../statistics/index.js'

/** Evaluations of an arm on a task, one for each seed. */
export interface ArmEvaluations {
  readonly arm: string
  readonly evaluations: readonly TaskEvaluation[]
}

/** How much more an arm scores than the whole on the same items. */
export interface Difference extends ScoreDifference {
  /** p after Holm, for all comparisons of the report. */
  readonly adjusted: number
}

export type Number95 = Pick<Estimate, 'low' | 'high' | 'n'> & { readonly mean: number | null }

/** An arm on a task. */
export interface Cell extends Number95 {
  readonly arm: string
  readonly task: string
  /** The number of each seed. */
  readonly seeds: readonly (number | null)[]
  readonly groups: Readonly<Record<string, Number95>>
  /** Null for the whole, and where the two share no item. */
  readonly difference: Difference | null
}

/** An item whose answers differ most between the whole and another arm. */
export interface ChangedAnswer {
  readonly task: string
  readonly arm: string
  readonly id: string
  readonly group: string | null
  readonly question: string
  readonly before: { readonly answer: string; readonly score: number }
  readonly after: { readonly answer: string; readonly score: number }
}

/** An item over the seeds: its score, or the sums of its lists for a corpus. */
interface Item {
  readonly id: string
  readonly group: string | null
  readonly cluster: string | null
  readonly score: number | readonly number[]
}

const isScored = (score: TaskScore | undefined): score is number | readonly number[] =>
  score !== null && score !== undefined

/** Items that have a score with every seed; their means over these. */
function itemsOf(evaluations: readonly TaskEvaluation[], metric: string): Item[] {
  const bySeed = evaluations.map(({ samples }) => new Map(samples.map((sample) => [sample.id, sample])))
  return [...(bySeed[0]?.values() ?? [])].flatMap(({ id, group, cluster }) => {
    const scores = bySeed.map((samples) => samples.get(id)?.scores[metric])
    if (!scores.every(isScored)) return []
    const lists = scores.map((score) => (typeof score === 'number' ? [score] : score))
    const mean = lists[0]!.map((_, i) => lists.reduce((sum, list) => sum + list[i]!, 0) / lists.length)
    return [{ id, group, cluster, score: typeof scores[0] === 'number' ? mean[0]! : mean }]
  })
}

const numbers = (items: readonly Item[]) => items.map(({ score }) => score as number)
const listsOf = (items: readonly Item[]) => items.map(({ score }) => score as readonly number[])

const clustersOf = (items: readonly Item[]): string[] | undefined => {
  const clusters = items.map(({ cluster }, i) => cluster ?? `#${i}`)
  return new Set(clusters).size < clusters.length ? clusters : undefined
}

const corpus = (of: (sums: readonly number[]) => number, items: readonly Item[], chosen: Int32Array) => {
  const sums: number[] = []
  for (const i of chosen)
    for (const [part, value] of (items[i]!.score as readonly number[]).entries())
      sums[part] = (sums[part] ?? 0) + value
  return of(sums)
}

/** The number of items, with its interval. */
function estimate(task: TaskDefinition, items: readonly Item[]): Number95 {
  const { kind, of } = task.metrics[task.main]!
  if (items.length === 0) return { mean: null, low: null, high: null, n: 0 }
  const found =
    kind === 'corpus'
      ? bootstrap(items.length, (chosen) => corpus(of!, items, chosen))
      : clustersOf(items)
        ? clustered(numbers(items), clustersOf(items)!)
        : numbers(items).every((score) => score === 0 || score === 1) && kind === 'share'
          ? wilson(numbers(items).filter((score) => score === 1).length, items.length)
          : tInterval(numbers(items))
  const { mean, low, high, n } = found
  return { mean, low, high, n }
}

/** The paired difference of an arm to the whole, without Holm's adjustment. */
function differenceOf(
  task: TaskDefinition,
  whole: readonly Item[],
  arm: readonly Item[],
  seeds: number,
): ScoreDifference | null {
  const others = new Map(whole.map((item) => [item.id, item]))
  const first = arm.filter(({ id }) => others.has(id))
  const second = first.map(({ id }) => others.get(id)!)
  if (first.length === 0) return null
  const { kind, of } = task.metrics[task.main]!
  if (kind === 'corpus') return corpusDifference(of!, listsOf(first), listsOf(second))
  return meanDifference(numbers(first), numbers(second), {
    clusters: first.map(({ cluster }) => cluster),
    // Means over seeds are no answers that are right or wrong.
    isShare: kind === 'share' && seeds === 1,
  })
}

/** Compares the arms on a task with the first of them, the whole. Adjusted values of p are those of this task alone: `adjust` all of a report. */
export function compareArms(task: TaskDefinition, arms: readonly ArmEvaluations[]): Cell[] {
  const items = arms.map(({ evaluations }) => itemsOf(evaluations, task.main))
  return arms.map(({ arm, evaluations }, i) => {
    const own = items[i]!
    const groups = [...new Set(own.map(({ group }) => group))].filter((group) => group !== null).sort()
    const difference = i === 0 ? null : differenceOf(task, items[0]!, own, evaluations.length)
    return {
      ...{ arm, task: task.name, ...estimate(task, own) },
      seeds: evaluations.map(({ results }) => results.metrics[task.main]?.mean ?? null),
      groups: Object.fromEntries(
        groups.map((group) => [
          group,
          estimate(
            task,
            own.filter((item) => item.group === group),
          ),
        ]),
      ),
      difference: difference && { ...difference, adjusted: difference.p },
    }
  })
}

/** Adjusts the values of p of all comparisons of a report by Holm. */
export function adjust(cells: readonly Cell[]): Cell[] {
  const tested = cells.filter(({ difference }) => difference !== null)
  const adjusted = holm(tested.map(({ difference }) => difference!.p))
  return cells.map((cell) => {
    const at = tested.indexOf(cell)
    return at < 0 ? cell : { ...cell, difference: { ...cell.difference!, adjusted: adjusted[at]! } }
  })
}

const shown = 2000

/**
 * The items whose scores changed most between the whole and the other arms, of the first seed, at most `most`; arms take turns, so that each is
 * seen. Items whose answers are the same did not change.
 */
export function changedAnswers(
  task: TaskDefinition,
  arms: readonly ArmEvaluations[],
  most: number,
): ChangedAnswer[] {
  const [whole, ...others] = arms
  const before = new Map((whole?.evaluations[0]?.samples ?? []).map((sample) => [sample.id, sample]))
  const scoreOf = ({ scores }: EvalSample) => scores[task.main]
  const lists = others.map(({ arm, evaluations }) =>
    (evaluations[0]?.samples ?? [])
      .flatMap((after): (ChangedAnswer & { readonly size: number })[] => {
        const first = before.get(after.id)
        if (first?.answer === undefined || after.answer === undefined || first.answer === after.answer)
          return []
        const [was, is] = [scoreOf(first), scoreOf(after)]
        if (typeof was !== 'number' || typeof is !== 'number' || was === is) return []
        const cut = (text: string) => (text.length > shown ? `${text.slice(0, shown)} …` : text)
        return [
          {
            ...{ task: task.name, arm, id: after.id, group: after.group, question: cut(after.question) },
            before: { answer: cut(first.answer), score: was },
            after: { answer: cut(after.answer), score: is },
            size: Math.abs(is - was),
          },
        ]
      })
      .sort((a, b) => b.size - a.size),
  )
  const chosen: ChangedAnswer[] = []
  for (let rank = 0; chosen.length < most && lists.some((list) => rank < list.length); rank++)
    for (const list of lists) {
      const found = list[rank]
      if (found === undefined || chosen.length >= most) continue
      const { size: _, ...answer } = found
      chosen.push(answer)
    }
  return chosen
}
