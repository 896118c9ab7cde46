import type { AddonPlace } from '@ift/tensor/native'

const place = {
  what: 'the CUDA backend',
  code: 'IFT_BACKEND_UNAVAILABLE',
  from: import.meta.url,
  systems: ['linux-x64', 'linux-arm64'],
} as const

export const kernels: AddonPlace = place

/** The kernels for the host's compiler, for tests. */
export const emulatedKernels: AddonPlace = {
  ...place,
  local: { binary: 'kernels-cuda-emu', script: 'build:emulated' },
}
