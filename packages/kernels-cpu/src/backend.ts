import { cpus } from 'node:os'

import type { Communicator, DeviceInfo } from '@ift/tensor'
import { NativeBackend, raise, valueOf, type KernelTime } from '@ift/tensor/native'

import type { Addon, Opened, Roofs } from './addon.js'
import { joinMpi, type RankOptions } from './communicator.js'

/** The CPU as a `Backend`: kernels run in order on a thread of the add-on and its pool. */
export class CpuBackend extends NativeBackend<Addon> {
  readonly name = 'cpu'
  readonly device: DeviceInfo
  readonly quantizedRows = 32
  readonly int8Products = true
  readonly blocks = this.blockKernels()
  wideResidual = true
  #comm: Communicator | null = null
  #invariantRows = false

  constructor(native: Addon, opened: Opened) {
    super(native, opened.device)
    const { isa, threads, note } = opened
    const processor = cpus()[0]?.model.trim() ?? process.arch
    this.device = {
      kind: 'cpu',
      index: 0,
      description: `${processor}, ${isa}, ${threads} threads${note === undefined ? '' : ` (${note})`}`,
      // Products of bf16 are as exact as those of f32 (both add up in f32) and, where the processor has them, faster.
      preferredDtype: isa === 'avx512bf16' || isa === 'amx' ? 'bf16' : 'f32',
      threads,
    }
  }

  get comm(): Communicator | null {
    return this.#comm
  }

  get invariantRows(): boolean {
    return this.#invariantRows
  }

  set invariantRows(on: boolean) {
    if (on === this.#invariantRows) return
    raise(this.native.setInvariantRows(this.number, on))
    this.#invariantRows = on
  }

  /** Joins the ranks of an MPI launcher; waits for all of them. */
  async join(options: RankOptions): Promise<void> {
    this.#comm = await joinMpi(this.native, this.number, options)
  }

  /** Counts the time of each kernel that runs from now on, at the price of a microsecond a kernel. */
  startProfile(): void {
    raise(this.native.startProfile(this.number))
  }

  /** The counts so far; call `synchronize` first to include kernels that still wait. */
  stopProfile(): KernelTime[] {
    return valueOf(this.native.stopProfile(this.number))
  }

  /** Measures what the machine can do at most, which takes about half a second. */
  roofs(dtype: 'f32' | 'bf16'): Roofs {
    return valueOf(this.native.roofs(this.number, dtype === 'f32' ? 0 : 1))
  }
}
