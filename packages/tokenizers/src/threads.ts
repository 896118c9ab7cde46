import { availableParallelism, cpus } from 'node:os'
import { rankPlacement } from '@ift/core'

type Environment = Readonly<Record<string, string | undefined>>

/** As many as the CPU device may have. */
const mostThreads = 4096

/** Ranks of this machine by the variables of their launcher. Malformed ones are the run's to report: text has tokens without ranks too. */
function localRanks(env: Environment): number {
  try {
    const placement = rankPlacement(env)
    return (placement.kind === 'rank' ? placement.place.localSize : null) ?? 1
  } catch {
    return 1
  }
}

/**
 * Threads that encode: RAYON_NUM_THREADS, else this rank's share of the cores that the process may use. A launcher that binds ranks
 * to cores has shared them out already.
 */
export function encodingThreads(
  env: Environment = process.env,
  usable: number = availableParallelism(),
  cores: number = cpus().length,
): number {
  const named = Number(env['RAYON_NUM_THREADS'])
  if (Number.isInteger(named) && named > 0) return Math.min(named, mostThreads)
  return usable < cores ? usable : Math.max(1, Math.floor(usable / localRanks(env)))
}
