import type { Backend } from '@ift/tensor'
import type { RankOptions } from './communicator.js'
import { openCpu, openCpuRank } from './open.js'

interface Request {
  readonly threads: number | null
  readonly ranks?: {
    readonly place: Pick<RankOptions, 'mpi' | 'rank' | 'worldSize'> & { readonly localSize: number | null }
    readonly timeout: number
    readonly library: string | null
  }
}

interface Device {
  readonly name: string
  open(request: Request): Promise<Backend>
}

/** The registry of devices as this package sees it: an ift plugin needs no more of the core. */
interface Host {
  readonly hooks: {
    readonly backend: { for(name: string): { tap(name: string, fn: () => Device): void } }
  }
}

/** Registers the CPU as device `cpu`. */
export const plugin = {
  name: 'backend:cpu',
  api: 1,
  apply({ hooks }: Host): void {
    hooks.backend.for('cpu').tap('kernels-cpu', () => ({
      name: 'cpu',
      open: async ({ threads, ranks }: Request) => {
        const options = threads === null ? {} : { threads }
        if (!ranks) return openCpu(options)
        const { place, timeout, library } = ranks
        return openCpuRank(options, { ...place, timeout, library })
      },
    }))
  },
}
