/** What times are estimated from: newest lines last, values not finite where they are not known. */
export interface Pace {
  readonly steps: { readonly step: readonly number[]; readonly seconds: readonly number[] }
  readonly evaluations: { readonly step: readonly number[]; readonly seconds: readonly number[] }
  readonly totalSteps: number
  /** Steps between evaluations; 0 without. */
  readonly evalEvery: number
}

/** Steps that an estimate looks back. */
const lookBack = 20

/** Before this step nothing is estimated: the first ones compile, map files and warm caches. */
const firstEstimate = 3

const newestFinite = (values: readonly number[], most: number): number[] =>
  values.slice(-most).filter((value) => Number.isFinite(value))

const mean = (values: readonly number[]) => values.reduce((sum, value) => sum + value, 0) / values.length

/** Evaluations in steps `from` + 1 … `to`: at each multiple, and at the end. */
export function evaluationsIn(from: number, to: number, every: number, last: number): number {
  if (every <= 0 || to <= from) return 0
  const multiples = Math.floor(to / every) - Math.floor(from / every)
  return multiples + (to >= last && from < last && last % every !== 0 ? 1 : 0)
}

/** Seconds to the end: the steps to come at the pace of the last 20, and every evaluation to come as a whole; null while it is not known. */
export function secondsLeft({ steps, evaluations, totalSteps, evalEvery }: Pace): number | null {
  const step = steps.step.at(-1) ?? 0
  if (step >= totalSteps) return 0
  const paces = newestFinite(steps.seconds, lookBack)
  if (step < firstEstimate || paces.length === 0) return null
  const durations = newestFinite(evaluations.seconds, 3)
  // The one of the newest step may be under way.
  const done = evaluations.step.at(-1) ?? 0
  const from = step > done && evalEvery > 0 && step % evalEvery === 0 ? step - 1 : step
  const toCome = evaluationsIn(from, totalSteps, evalEvery, totalSteps)
  return mean(paces) * (totalSteps - step) + (durations.length > 0 ? mean(durations) * toCome : 0)
}

/** Seconds of the usual step: the median of the last 20; null before there are three. */
export function usualStep(seconds: readonly number[]): number | null {
  const sorted = newestFinite(seconds, lookBack).sort((a, b) => a - b)
  return sorted.length < 3 ? null : sorted[sorted.length >> 1]!
}

/**
 * Seconds without a step, once they are more than three times the usual one; null while all is as usual. While an evaluation is due, its
 * usual time is waited for besides.
 */
export function stalledFor(pace: Pace, silence: number): number | null {
  const usual = usualStep(pace.steps.seconds)
  if (usual === null) return null
  const step = pace.steps.step.at(-1) ?? 0
  const evaluates =
    pace.evalEvery > 0 && step % pace.evalEvery === 0 && (pace.evaluations.step.at(-1) ?? 0) < step
  const durations = newestFinite(pace.evaluations.seconds, 3)
  // How long the first evaluation takes is not known.
  if (evaluates && durations.length === 0) return null
  // A page hears of a step late by its own pace too: not less than 3 s.
  const patience = Math.max(3 * (usual + (evaluates ? Math.max(...durations) : 0)), 3)
  return silence > patience ? silence : null
}
