import type { RunCheckpoint } from '../../api/types.js'

/** A tick under the progress bar. */
export interface Mark {
  readonly step: number
  readonly evaluation: boolean
  /** Null where no checkpoint is on disk. */
  readonly checkpoint: RunCheckpoint | null
}

/** More ticks than this are thinned to what can be told apart. */
const mostMarks = 120

/** Ticks of a run: its evaluations, done and to come, and the checkpoints on disk, which always have one. */
export function marksOf(
  totalSteps: number,
  evalEvery: number,
  saveEvery: number,
  checkpoints: readonly RunCheckpoint[],
): Mark[] {
  const onDisk = new Map(checkpoints.map((checkpoint) => [checkpoint.step, checkpoint]))
  const steps = new Set<number>()
  for (const every of [evalEvery, saveEvery]) {
    if (every <= 0 || totalSteps <= 0) continue
    const stride = every * Math.max(1, Math.ceil(totalSteps / every / mostMarks))
    for (let step = stride; step <= totalSteps; step += stride) steps.add(step)
  }
  for (const step of onDisk.keys()) steps.add(step)
  return [...steps]
    .sort((a, b) => a - b)
    .map((step) => ({
      step,
      evaluation: evalEvery > 0 && step % evalEvery === 0,
      checkpoint: onDisk.get(step) ?? null,
    }))
}
