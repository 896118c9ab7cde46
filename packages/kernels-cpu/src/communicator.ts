import { IftError } from '@ift/tensor'
import { errorOf, NativeCommunicator } from '@ift/tensor/native'

import type { Addon } from './addon.js'

/** The ranks of an MPI launcher to join. */
export interface RankOptions {
  /** Which MPI started this process; null is refused, CPU ranks have no other way to talk. */
  readonly mpi: 'openmpi' | 'mpich' | null
  /** Rank and number of ranks by the launcher's variables. */
  readonly rank: number
  readonly worldSize: number
  /** Seconds that a collective waits for a rank. */
  readonly timeout: number
  /** File of the MPI library; null looks for it. */
  readonly library: string | null
}

/**
 * Starts MPI, which waits until every rank has started it. Throws `IFT_LIBRARY_MISSING` with what was looked for,
 * `IFT_RANK_MISSING` after `timeout`, `IFT_RANKS_ENVIRONMENT` where MPI counts other ranks than the launcher.
 */
export async function joinMpi(
  native: Addon,
  device: number,
  options: RankOptions,
): Promise<NativeCommunicator> {
  const { mpi, library, timeout, rank, worldSize } = options
  if (mpi === null)
    throw new IftError(
      'IFT_RANKS_NO_MPI',
      `Rank ${rank} of ${worldSize} was started without MPI, over which CPU ranks talk.`,
      `npx ift train --nproc ${worldSize} (or: mpirun -n ${worldSize} npx ift train)`,
    )
  let timer: NodeJS.Timeout | undefined
  const late = new Promise<never>((_, reject) => {
    timer = setTimeout(() => {
      reject(
        new IftError(
          'IFT_RANK_MISSING',
          `Rank ${rank} waited ${timeout} s in MPI_Init: not all of the ${worldSize} ranks have started.`,
          'Look at the other ranks, or wait longer: ranks.timeout in the config.',
        ),
      )
    }, timeout * 1000)
  })
  try {
    const world = await Promise.race([native.commJoin(device, mpi, library, timeout), late])
    if ('code' in world) throw errorOf(world)
    if (world.rank !== rank || world.size !== worldSize)
      throw new IftError(
        'IFT_RANKS_ENVIRONMENT',
        `The launcher says rank ${rank} of ${worldSize}, ${world.library} says rank ${world.rank} of ${world.size}.`,
        'Start with the mpirun that belongs to the library, or name the library: ranks.mpi in the config.',
      )
    return new NativeCommunicator(native, device, world)
  } finally {
    clearTimeout(timer)
  }
}
