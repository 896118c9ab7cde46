import type { Backend } from '@ift/tensor'
import { openCpu } from './open.js'

interface Device {
  readonly name: string
  open(request: { readonly threads: number | null }): Promise<Backend>
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
      open: ({ threads }: { readonly threads: number | null }) =>
        Promise.resolve(openCpu(threads === null ? {} : { threads })),
    }))
  },
}
