import type { Failure, NativeAddon } from '@ift/tensor/native'

/** A device just opened. */
export interface Opened {
  /** Its number in the add-on. */
  device: number
  /** As the driver names it. */
  name: string
  /** Compute capability, `9.0`. */
  capability: string
  multiprocessors: number
  /** Bytes of the device. */
  memory: number
}

/** Exports of the add-on of this package. */
export interface Addon extends NativeAddon {
  /** Opens the GPU with this index among those that the driver shows. */
  open(index: number): Opened | Failure
}

/** Exports of the add-on whose kernels run on the processor. */
export interface EmulatedAddon extends NativeAddon {
  /** `schedule` orders the threads of a block: 0 to 3 reach the extremes of what a GPU may do. */
  openEmulated(schedule: number): Opened | Failure
}
