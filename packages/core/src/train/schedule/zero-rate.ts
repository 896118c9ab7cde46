import { learningRate, type Schedule } from './schedule.js'

/**
 * What a run says before it begins of the steps in which it learns nothing, because their rate is 0 in the f32 of updates;
 * null when there are none.
 */
export function zeroRateNote(schedule: Schedule): string | null {
  const { totalSteps, peak } = schedule
  const zero: number[] = []
  for (let step = 0; step < totalSteps; step++)
    if (Math.fround(learningRate(schedule, step)) === 0) zero.push(step + 1)
  if (zero.length === 0) return null
  const [first, last] = [zero[0]!, zero.at(-1)!]
  const which =
    zero.length === 1
      ? `step ${first} of ${totalSteps} trains`
      : last - first + 1 === zero.length
        ? `steps ${first} to ${last} of ${totalSteps} train`
        : `${zero.length} of ${totalSteps} steps train, the first of them ${first},`
  return `${which} at rate 0: train.learningRate is ${peak}, and f32 has no number above 0 as small as the rate of ${zero.length === 1 ? 'that step' : 'these steps'}`
}
