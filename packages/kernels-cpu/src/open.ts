import { availableParallelism, cpus } from 'node:os'

import { IftError, type Backend } from '@ift/tensor'
import { errorOf } from '@ift/tensor/native'

import { CpuBackend } from './backend.js'
import type { RankOptions } from './communicator.js'
import { addon } from './load.js'

/** How to open the CPU. */
export interface CpuOptions {
  /** Threads of the kernels, the queue's own among them; one for each core by default. */
  threads?: number | undefined
  /** One of `instructionSets()`; the strongest by default, or what the environment variable IFT_CPU_ISA names. */
  isa?: string | undefined
}

const unavailable = 'leave isa and IFT_CPU_ISA unset to take the strongest instruction set'

/** Instruction sets of this processor that kernels exist for, weakest first. */
export const instructionSets = (): string[] => addon().instructionSets()

/**
 * Opens the CPU as a device. Throws `IFT_BACKEND_UNAVAILABLE` when the native add-on is not installed or the processor
 * lacks the instruction set, `IFT_ARGUMENT` for a count of threads that is none.
 */
export function openCpu(options: CpuOptions = {}): CpuBackend {
  const { threads = 0, isa = process.env['IFT_CPU_ISA'] ?? '' } = options
  if (!Number.isInteger(threads) || threads < 0 || threads > 4096 || options.threads === 0) {
    throw new IftError('IFT_ARGUMENT', `threads is ${threads}, expected a whole number from 1 to 4096`)
  }
  const native = addon()
  const opened = native.open(threads, isa)
  if ('code' in opened) throw errorOf({ ...opened, hint: unavailable })
  return new CpuBackend(native, opened)
}

/** One of several ranks of a machine: the share of its cores that is this rank's. */
function threadsOf(localSize: number | null): number {
  const cores = availableParallelism()
  // A launcher that binds ranks to cores has shared them out already.
  return cores < cpus().length ? cores : Math.max(1, Math.floor(cores / (localSize ?? 1)))
}

/**
 * Opens the CPU of one rank and joins the others over MPI; waits until all have come. Ranks of one machine share its
 * cores unless `threads` says otherwise.
 */
export async function openCpuRank(
  options: CpuOptions,
  ranks: RankOptions & { readonly localSize: number | null },
): Promise<Backend> {
  const backend = openCpu({ ...options, threads: options.threads ?? threadsOf(ranks.localSize) })
  try {
    await backend.join(ranks)
    return backend
  } catch (error) {
    backend.close()
    throw error
  }
}
