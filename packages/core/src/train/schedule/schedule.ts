import { IftError } from '@ift/tensor'
import type { TrainConfig } from '../../config/schema.js'
import { constant } from './constant.js'
import { cosine } from './cosine.js'
import type { Course } from './course.js'
import { linear } from './linear.js'
import { wsd } from './wsd.js'

/** Learning rate over a run. */
export interface Schedule {
  /** Peak learning rate. */
  readonly peak: number
  readonly totalSteps: number
  readonly warmupSteps: number
  /** Learning rate behind the last step, as a share of the peak. */
  readonly minRatio: number
  readonly course: Course
}

/** What of a config decides the schedule. */
export type ScheduleConfig = Pick<
  TrainConfig,
  | 'learningRate'
  | 'schedule'
  | 'warmupSteps'
  | 'warmupRatio'
  | 'decaySteps'
  | 'decayRatio'
  | 'decayShape'
  | 'minLearningRateRatio'
>

/** Share of the steps in which wsd decays: that of MiniCPM. */
const defaultDecayRatio = 0.1

/**
 * The schedule of a run. Warm-up is cut to the length of the run. Throws IFT_CONFIG_INVALID for options of a decay that the
 * schedule has not, and for a warm-up and a decay that the config makes longer than the run together.
 */
export function createSchedule(config: ScheduleConfig, totalSteps: number): Schedule {
  const { warmupRatio, minLearningRateRatio: minRatio, learningRate: peak } = config
  const warmupSteps = Math.min(totalSteps, config.warmupSteps ?? Math.ceil(totalSteps * warmupRatio))
  const base = { peak, totalSteps, warmupSteps, minRatio }
  if (config.schedule !== 'wsd') {
    const unused = (['decaySteps', 'decayRatio', 'decayShape'] as const).find(
      (name) => config[name] !== undefined,
    )
    if (unused !== undefined)
      throw new IftError(
        'IFT_CONFIG_INVALID',
        `train.${unused} is an option of the schedule wsd, and train.schedule is ${config.schedule}.`,
        'Take it out, or: --train.schedule wsd',
      )
    return { ...base, course: { linear, cosine, constant }[config.schedule] }
  }
  return {
    ...base,
    course: wsd(decayStepsOf(config, totalSteps, warmupSteps), config.decayShape ?? 'linear'),
  }
}

function decayStepsOf(config: ScheduleConfig, totalSteps: number, warmupSteps: number): number {
  const ratio = config.decayRatio ?? defaultDecayRatio
  const asked = config.decaySteps !== undefined || config.decayRatio !== undefined
  // Shares are rounded up; neither rounding nor the default makes a run too short.
  const warmup = config.warmupSteps ?? totalSteps * config.warmupRatio
  const decay = config.decaySteps ?? totalSteps * ratio
  if (asked && warmup + decay > totalSteps * (1 + 1e-9)) {
    const said = (steps: 'warmupSteps' | 'decaySteps', share: 'warmupRatio' | 'decayRatio', value: number) =>
      config[steps] === undefined ? `train.${share} ${value}` : `train.${steps} ${config[steps]}`
    throw new IftError(
      'IFT_CONFIG_INVALID',
      `${said('warmupSteps', 'warmupRatio', config.warmupRatio)} and ${said('decaySteps', 'decayRatio', ratio)} are more than the ${totalSteps} steps of the run together.`,
      'Make one of them smaller, or train longer. Shares: at most 1 together.',
    )
  }
  return Math.min(Math.ceil(decay), totalSteps - warmupSteps)
}

/**
 * Learning rate of a step, counted from 0. Warm-up rises linearly from peak / warmupSteps, its last step has the peak; what
 * follows takes its course, which reaches `minRatio` of the peak at `totalSteps`. No step has a rate of 0. Hugging Face's
 * warm-up is one step behind: it begins with a step at rate 0, which learns nothing and is the whole of a run of one step.
 */
export function learningRate(
  { peak, totalSteps, warmupSteps, minRatio, course }: Schedule,
  step: number,
): number {
  if (step < warmupSteps) return (peak * (step + 1)) / warmupSteps
  if (step >= totalSteps) return peak * (course === constant ? 1 : minRatio)
  const share = course(step - warmupSteps, totalSteps - warmupSteps)
  return share === 1 ? peak : peak * (minRatio + (1 - minRatio) * share)
}
