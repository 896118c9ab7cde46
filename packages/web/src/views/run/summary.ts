import type { RunReply } from '../../api/types.js'
import { smooth } from '../../components/chart/smooth.js'
import type { MetricColumns } from './columns.js'
import type { Pace } from './eta.js'

/** Newest figures of a run; null where there are none. */
export interface Summary {
  readonly step: number | null
  readonly loss: number | null
  readonly smoothed: number | null
  readonly evalLoss: number | null
  readonly firstEval: { readonly step: number; readonly loss: number } | null
  readonly bestEval: { readonly step: number; readonly loss: number } | null
  readonly isBest: boolean
  readonly tokensPerSecond: number | null
  readonly meanTokensPerSecond: number | null
  readonly tokens: number | null
  readonly trainedTokens: number | null
  readonly gradientNorm: number | null
  /** Steps whose gradient was longer than the clip. */
  readonly clipped: number
  readonly peakMemory: number | null
  readonly elapsed: number | null
}

/** A number of a config, by its path. */
export function settingOf(run: Pick<RunReply, 'config'>, path: string): number | null {
  const value = path
    .split('.')
    .reduce<unknown>((here, key) => (here as Record<string, unknown> | null | undefined)?.[key], run.config)
  return typeof value === 'number' ? value : null
}

const sumOf = (values: readonly number[]) =>
  values.reduce((sum, value) => (Number.isFinite(value) ? sum + value : sum), 0)

/** The figures of the lines that were read; where lines are only every so many steps, counts are those of the run itself. */
export function summaryOf(
  run: RunReply,
  train: MetricColumns,
  evaluation: MetricColumns,
  weight: number,
): Summary {
  const losses = train.column('loss')
  // Further back than this nothing weighs that shows: 0.99 to the 2,000th is 2e-9.
  const smoothed = smooth(losses.slice(-2000), weight)
  const evals = evaluation.step
    .map((step, i) => ({ step, loss: evaluation.column('loss')[i]! }))
    .filter((each) => Number.isFinite(each.loss))
  const best = evals.reduce<(typeof evals)[number] | null>(
    (before, each) => (before === null || each.loss < before.loss ? each : before),
    null,
  )
  const newest = evals.at(-1) ?? null
  const everyStep = (run.plan?.logEvery ?? settingOf(run, 'train.logEvery') ?? 1) === 1
  const tokens = everyStep && train.has('tokens') ? sumOf(train.column('tokens')) : run.measured.tokens
  const trained =
    everyStep && train.has('trainedTokens')
      ? sumOf(train.column('trainedTokens'))
      : run.measured.trainedTokens
  const rates = train.column('tokensPerSecond').filter((value) => Number.isFinite(value))
  const clip = settingOf(run, 'train.clipNorm') ?? 0
  const peak = Math.max(
    run.measured.peakMemory ?? -Infinity,
    ...train
      .column('peakMemory')
      .slice(-100)
      .filter((value) => Number.isFinite(value)),
  )
  const last = smoothed.at(-1)
  return {
    step: train.step.at(-1) ?? run.step,
    loss: train.newest('loss'),
    smoothed: last === undefined || !Number.isFinite(last) ? null : last,
    evalLoss: newest?.loss ?? null,
    firstEval: evals[0] ?? null,
    bestEval: best,
    isBest: newest !== null && newest === best,
    tokensPerSecond: train.newest('tokensPerSecond'),
    meanTokensPerSecond: run.tokensPerSecond ?? (rates.length > 0 ? sumOf(rates) / rates.length : null),
    tokens,
    trainedTokens: trained,
    gradientNorm: train.newest('gradientNorm'),
    clipped: clip > 0 ? train.column('gradientNorm').filter((norm) => norm > clip).length : 0,
    peakMemory: Number.isFinite(peak) ? peak : null,
    elapsed: train.newest('elapsed') ?? run.seconds,
  }
}

/** What times of a run are estimated from. */
export const paceOf = (run: RunReply, train: MetricColumns, evaluation: MetricColumns): Pace => ({
  steps: { step: train.step, seconds: train.column('seconds') },
  evaluations: { step: evaluation.step, seconds: evaluation.column('seconds') },
  totalSteps: run.totalSteps ?? run.plan?.steps ?? 0,
  evalEvery: run.plan?.evalEvery ?? 0,
})
