import type { AddonPlace } from '@ift/tensor/native'

const place = {
  what: 'the CUDA backend',
  code: 'IFT_BACKEND_UNAVAILABLE',
  from: import.meta.url,
  systems: ['linux-x64', 'linux-arm64'],
} as const

export const kernels: AddonPlace = {
  ...place,
  binary: 'kernels-cuda',
  build: 'pnpm --filter @ift/kernels-cuda run build:native',
}

/** The kernels for the host's compiler, for tests. */
export const emulatedKernels: AddonPlace = {
  ...place,
  binary: 'kernels-cuda-emu',
  packaged: false,
  build: 'pnpm --filter @ift/kernels-cuda run build:emulated',
}
