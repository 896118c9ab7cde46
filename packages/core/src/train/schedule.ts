/** Course of the learning rate over a run. */
export interface Schedule {
  readonly kind: 'linear' | 'cosine' | 'constant'
  /** Peak learning rate. */
  readonly peak: number
  readonly totalSteps: number
  readonly warmupSteps: number
  /** Learning rate after the last step, as a share of the peak. */
  readonly minRatio: number
}

/**
 * Learning rate of a step, counted from 0. Warm-up rises linearly from peak / warmupSteps, its last step has the peak; what
 * follows falls to `minRatio` of the peak at `totalSteps`. No step has a rate of 0. With minRatio 0 these are Hugging Face's
 * get_{linear,cosine,constant}_schedule_with_warmup, whose warm-up is one step behind: it begins with a step at rate 0, which
 * learns nothing and is the whole of a run of one step.
 */
export function learningRate(schedule: Schedule, step: number): number {
  const { kind, peak, totalSteps, warmupSteps, minRatio } = schedule
  if (step < warmupSteps) return (peak * (step + 1)) / warmupSteps
  if (kind === 'constant') return peak
  const progress = Math.min(1, (step - warmupSteps) / Math.max(1, totalSteps - warmupSteps))
  const share = kind === 'linear' ? 1 - progress : (1 + Math.cos(Math.PI * progress)) / 2
  return peak * (minRatio + (1 - minRatio) * share)
}

/** Steps of warm-up: given outright, or a share of all steps, at most all of them. */
export const warmupSteps = (totalSteps: number, steps: number | undefined, ratio: number): number =>
  Math.min(totalSteps, steps ?? Math.ceil(totalSteps * ratio))
