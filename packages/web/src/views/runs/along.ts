import type { MetricColumns } from '../run/columns.js'
import { lowerBound, type Points } from '../../components/chart/thin.js'

/** What curves are drawn over. */
export type Axis = 'step' | 'tokens' | 'seconds'

/** Tokens or seconds up to each logged step. */
function sums(train: MetricColumns, axis: Exclude<Axis, 'step'>): Float64Array {
  const elapsed = train.column('elapsed')
  if (axis === 'seconds' && train.has('elapsed')) {
    let last = 0
    return Float64Array.from(
      elapsed,
      (value) => (last = Number.isFinite(value) ? Math.max(last, value) : last),
    )
  }
  const values = train.column(axis === 'tokens' ? 'tokens' : 'seconds')
  let sum = 0
  // Of steps between two lines each had about as much as the one that was logged.
  return Float64Array.from(values, (value, i) => {
    const steps = train.step[i]! - (train.step[i - 1] ?? 0)
    if (Number.isFinite(value)) sum += value * steps
    return sum
  })
}

/** A column of a run over an axis; null as a column: the losses of its evaluations. */
export function along(
  { train, evaluation }: { readonly train: MetricColumns; readonly evaluation: MetricColumns },
  column: string | null,
  axis: Axis,
): Points {
  const source = column === null ? evaluation : train
  const y = source.column(column ?? 'loss').slice()
  if (axis === 'step') return { x: source.step.slice(), y }
  const reached = sums(train, axis)
  if (column !== null) return { x: reached, y }
  const x = Float64Array.from(evaluation.step, (step) => {
    const i = lowerBound(train.step, step)
    // An evaluation behind the newest line of a step stands with it.
    return reached[Math.min(i, reached.length - 1)] ?? 0
  })
  return { x, y }
}
