import { IftError } from '@ift/tensor'
import { errorOf, loadAddon } from '@ift/tensor/native'

import type { Addon, Finding } from './addon.js'
import { CudaBackend } from './backend.js'
import { kernels } from './add-ons.js'

/** How to open a GPU. */
export interface CudaOptions {
  /** Index among the GPUs that the driver shows (CUDA_VISIBLE_DEVICES limits them); 0 by default. */
  index?: number | undefined
}

const addon = (): Addon => loadAddon(kernels) as Addon

/**
 * NVIDIA's software and devices on this machine: kernels, driver, GPUs with compute capability and memory, cuBLASLt
 * and NCCL with their versions and files. A missing part is a finding too. Throws `IFT_BACKEND_UNAVAILABLE` only
 * without the add-on.
 */
export const probeCuda = (): Finding[] => addon().probe()

/**
 * Opens an NVIDIA GPU. Throws `IFT_BACKEND_UNAVAILABLE` with what is missing: the add-on, the kernels in it, the driver, the
 * GPU, its compute capability (8.0 or newer) or cuBLASLt; `IFT_ARGUMENT` for an index that is none.
 */
export function openCuda(options: CudaOptions = {}): CudaBackend {
  const { index = 0 } = options
  if (!Number.isInteger(index) || index < 0) {
    throw new IftError('IFT_ARGUMENT', `index is ${index}, expected a whole number from 0 on`)
  }
  const native = addon()
  const opened = native.open(index)
  if ('code' in opened) throw errorOf({ hint: 'npx ift doctor shows what was found where', ...opened })
  return new CudaBackend(native, opened, index)
}
