import type { Backend } from '@ift/tensor'
import type { Finding } from './addon.js'
import type { RankOptions } from './communicator.js'
import { openCuda, probeCuda } from './open.js'

interface Request {
  readonly index: number
  readonly ranks?: Pick<RankOptions, 'timeout' | 'library' | 'exchange'> & {
    readonly place: Pick<RankOptions, 'rank' | 'worldSize' | 'mpi' | 'master'>
  }
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

/** Opens the GPU and joins the ranks that it is to be one of. */
async function open({ index, ranks }: Request): Promise<Backend> {
  const backend = openCuda({ index })
  if (!ranks) return backend
  try {
    const { place, ...rest } = ranks
    await backend.join({ ...place, ...rest })
    return backend
  } catch (error) {
    backend.close()
    throw error
  }
}

/** Registers NVIDIA GPUs as device `cuda`. */
export const plugin = {
  name: 'backend:cuda',
  api: 1,
  apply({ hooks }: Host): void {
    hooks.backend.for('cuda').tap('kernels-cuda', () => ({
      name: 'cuda',
      open,
      look: probeCuda,
    }))
  },
}
