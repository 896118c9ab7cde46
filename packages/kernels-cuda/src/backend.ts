import type { Communicator, DeviceInfo } from '@ift/tensor'
import { NativeBackend, raise, valueOf, type KernelTime } from '@ift/tensor/native'

import type { KernelFacts, Opened, RankAddon } from './addon.js'
import { joinNccl, type RankOptions } from './communicator.js'

/** An NVIDIA GPU as a `Backend`, or the emulation of one. */
export class CudaBackend extends NativeBackend<RankAddon> {
  readonly name = 'cuda'
  readonly device: DeviceInfo
  #comm: Communicator | null = null

  constructor(native: RankAddon, opened: Opened, index: number) {
    super(native, opened.device)
    const { name, capability, multiprocessors, memory } = opened
    const size = memory === 0 ? '' : `, ${(memory / 2 ** 30).toFixed(1)} GiB`
    this.device = {
      kind: 'cuda',
      index,
      description: `${name}, compute capability ${capability}${size}`,
      // Products of bf16 add up in f32, and the tensor cores take them at sixteen times the rate of f32.
      preferredDtype: 'bf16',
      threads: multiprocessors,
      ...(memory === 0 ? {} : { memory }),
    }
  }

  get comm(): Communicator | null {
    return this.#comm
  }

  /** Joins the other ranks over NCCL; waits for all of them. */
  async join(options: RankOptions): Promise<void> {
    this.#comm = await joinNccl(this.native, this.number, options)
  }

  /**
   * Every kernel that the backend launches, by name, as the device has it: registers, memory, and the shared memory that its
   * launches ask for, set as they do. A kernel that the device would not launch says so in its `error`.
   */
  inventory(): KernelFacts[] {
    return valueOf(this.native.inventory(this.number))
  }

  /** Measures each kernel and product that is launched from now on by two events of the device; recorded work as one replay. */
  startProfile(): void {
    raise(this.native.startProfile(this.number))
  }

  /** Waits for the device and gives what was measured, by kernel and, for products, by shape. */
  stopProfile(): KernelTime[] {
    return valueOf(this.native.stopProfile(this.number))
  }
}
