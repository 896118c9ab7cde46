import { IftError } from '@ift/tensor'
import { errorOf, NativeCommunicator } from '@ift/tensor/native'

import type { RankAddon } from './addon.js'

/** The ranks that a GPU joins. */
export interface RankOptions {
  readonly rank: number
  readonly worldSize: number
  /** MPI that started this process, and null where the ranks find each other at the address of rank 0. */
  readonly mpi: 'openmpi' | 'mpich' | null
  /** Address of rank 0; null under MPI. */
  readonly master: unknown
  /** Seconds to wait for the other ranks to start. */
  readonly timeout: number
  /** File of the NCCL library; null looks for it. */
  readonly library: string | null
  /** Gives bytes of rank 0 to every rank. */
  exchange(bytes: Uint8Array | null): Promise<Uint8Array>
}

/** Bytes of the id that NCCL begins with. */
const idBytes = 128

/**
 * Joins the other ranks over NCCL, which waits until all have come. Throws `IFT_LIBRARY_MISSING` with what was looked for,
 * `IFT_RANK_MISSING` when a rank has not started in time.
 */
export async function joinNccl(
  native: RankAddon,
  device: number,
  options: RankOptions,
): Promise<NativeCommunicator> {
  const { rank, worldSize, mpi, master, timeout, library } = options
  const own = rank === 0 ? native.commId(library) : new Uint8Array(idBytes)
  if ('code' in own) throw errorOf(own)
  let id: Uint8Array
  if (master === null && mpi !== null) {
    const shared = await native.commShare(device, mpi, null, timeout, own)
    if ('code' in shared) throw errorOf(shared)
    id = shared
  } else id = await options.exchange(rank === 0 ? own : null)
  if (id.length !== idBytes)
    throw new IftError('IFT_COLLECTIVE', `Rank 0 sent an id of ${id.length} bytes, expected ${idBytes}.`)
  const world = await native.commJoin(device, id, rank, worldSize, library)
  if ('code' in world) throw errorOf(world)
  return new NativeCommunicator(native, device, world)
}
