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

/** One thing of NVIDIA's that was looked for. */
export interface Finding {
  /** `NVIDIA driver`, `cuda:0`, `cuBLASLt`, … */
  name: string
  found: boolean
  /** Its version and file; or why it is not there, where it was looked for and what to install. */
  text: string
}

/** Exports of the add-on of this package. */
export interface Addon extends NativeAddon {
  /** Looks for kernels, driver, GPUs, cuBLASLt and NCCL; works where there are none. */
  probe(): Finding[]
  /** Opens the GPU with this index among those that the driver shows. */
  open(index: number): Opened | Failure
}

/** Exports of the add-on whose kernels run on the processor. */
export interface EmulatedAddon extends NativeAddon {
  /** `schedule` orders the threads of a block: 0 to 3 reach the extremes of what a GPU may do. */
  openEmulated(schedule: number): Opened | Failure
}
