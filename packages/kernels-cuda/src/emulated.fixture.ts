import { existsSync } from 'node:fs'

import { IftError } from '@ift/tensor'
import { addonFile, errorOf, loadAddon } from '@ift/tensor/native'

import type { EmulatedAddon } from './addon.js'
import { CudaBackend } from './backend.js'
import { emulatedKernels } from './add-ons.js'

/** Orders of threads that together reach the extremes of what a GPU may do. */
export const schedules = [0, 1, 2, 3] as const

/** File of the emulated build; undefined where it is not there, and tests without it are skipped. */
export function emulatedFile(): string | undefined {
  const file = addonFile(emulatedKernels)
  return file !== undefined && existsSync(file) ? file : undefined
}

export const emulatedIsBuilt = (): boolean => emulatedFile() !== undefined

const emulated = () => loadAddon(emulatedKernels) as EmulatedAddon

export interface EmulatedOptions {
  /** One of `schedules`; 0 when absent. */
  readonly schedule?: number
  /** Bytes of the device; 8 GiB when absent. */
  readonly memory?: number
  /** Kernels until the device is lost; it never is when absent. */
  readonly life?: number
}

/**
 * Opens a GPU that is emulated on the processor: the same kernels, compiled by the host's compiler, for tests on machines
 * without a GPU. Throws `IFT_BACKEND_UNAVAILABLE` when it was not built.
 */
export function openEmulated(options: EmulatedOptions = {}): CudaBackend {
  const { schedule = 0, memory = 0, life = 0 } = options
  if (!Number.isInteger(schedule) || schedule < 0) {
    throw new IftError('IFT_ARGUMENT', `schedule is ${schedule}, expected a whole number from 0 on`)
  }
  const native = emulated()
  const opened = native.openEmulated(schedule, memory, life)
  if ('code' in opened) throw errorOf(opened)
  return new CudaBackend(native, opened, 0)
}

/** An id for ranks, as rank 0 makes one, of a world of its own. `library` is a file of NCCL, or null. */
export function otherWorld(library: string | null): Uint8Array {
  const id = emulated().commId(library)
  if ('code' in id) throw errorOf(id)
  return id
}
