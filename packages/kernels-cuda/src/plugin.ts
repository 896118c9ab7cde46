import { IftError, type Backend } from '@ift/tensor'
import type { Finding } from './addon.js'
import { openCuda, probeCuda } from './open.js'

interface Request {
  readonly index: number
  readonly ranks?: { readonly place: { readonly worldSize: number } }
}

interface Device {
  readonly name: string
  open(request: Request): Promise<Backend>
  look(): readonly Finding[]
}

/** The registry of devices as this package sees it: an ift plugin needs no more of the core. */
interface Host {
  readonly hooks: {
    readonly backend: { for(name: string): { tap(name: string, fn: () => Device): void } }
  }
}

function open({ index, ranks }: Request): Backend {
  if (ranks && ranks.place.worldSize > 1) {
    throw new IftError(
      'IFT_BACKEND_UNAVAILABLE',
      `the CUDA backend trains on one GPU, and this is one of ${ranks.place.worldSize} ranks`,
      'start one process, or train on the CPUs of the ranks: --device cpu',
    )
  }
  return openCuda({ index })
}

/** Registers NVIDIA GPUs as device `cuda`. */
export const plugin = {
  name: 'backend:cuda',
  api: 1,
  apply({ hooks }: Host): void {
    hooks.backend.for('cuda').tap('kernels-cuda', () => ({
      name: 'cuda',
      open: (request: Request) => Promise.resolve().then(() => open(request)),
      look: probeCuda,
    }))
  },
}
