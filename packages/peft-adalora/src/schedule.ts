import { IftError } from '@ift/core'
import type { AdaloraOptions } from './options.js'

/** How many singular values of the whole model stay, by step (§3.3 of arXiv:2303.10512). */
export interface Schedule extends Pick<AdaloraOptions, 'tinit' | 'deltaT'> {
  /** Singular values at the beginning and at the end. */
  readonly initial: number
  readonly target: number
  /** Step of the last pruning; later ones keep its choice. */
  readonly last: number
}

/** Throws IFT_PEFT_OPTIONS for a run that leaves no steps to prune in. */
export function createSchedule(
  { tinit, tfinal, deltaT }: AdaloraOptions,
  size: Pick<Schedule, 'initial' | 'target'>,
  totalSteps: number,
): Schedule {
  const last = totalSteps - tfinal
  if (tinit >= last)
    throw new IftError(
      'IFT_PEFT_OPTIONS',
      `peft.tinit should be below the steps of the run less peft.tfinal, ${totalSteps} - ${tfinal} = ${last}; found ${tinit}.`,
      'Lower peft.tinit or peft.tfinal, or train for more steps.',
    )
  return { tinit, deltaT, last, ...size }
}

/** How many values are pruned behind a step that prunes; null behind one that does not. */
export function prunedAt({ initial, target, tinit, deltaT, last }: Schedule, step: number): number | null {
  // A run of one step has measured nothing, and an adapter that is trained on may have no more than the target.
  if (step <= tinit || step > last || last === 1 || initial <= target) return null
  if (step % deltaT !== 0 && step !== last) return null
  const left = 1 - (step - tinit) / (last - tinit)
  return initial - Math.trunc((initial - target) * left ** 3 + target)
}

/** Which values stay when the `pruned` lowest go: those above the highest of them, so that equal scores go together. */
export function keptBy(scores: Float32Array, pruned: number): Float32Array {
  const threshold = scores.toSorted()[pruned - 1]!
  return scores.map((score) => (score > threshold ? 1 : 0))
}
