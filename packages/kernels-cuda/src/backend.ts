import type { Communicator, DeviceInfo } from '@ift/tensor'
import { NativeBackend, type NativeAddon } from '@ift/tensor/native'

import type { Opened } from './addon.js'

/** An NVIDIA GPU as a `Backend`, or the emulation of one. */
export class CudaBackend extends NativeBackend {
  readonly name = 'cuda'
  readonly device: DeviceInfo
  readonly comm: Communicator | null = null

  constructor(native: NativeAddon, opened: Opened, index: number) {
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
    }
  }
}
