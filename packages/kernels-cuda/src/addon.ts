import type { CommAddon, Failure, NativeAddon, ProfileAddon, World } from '@ift/tensor/native'

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

/** A kernel of the add-on as it was built for the device; its measurements are 0 where it is emulated. */
export interface KernelFacts {
  name: string
  /** Registers of a thread. */
  registers: number
  /** Bytes of a thread in local memory: spilled registers and indexed arrays. */
  localBytes: number
  /** Bytes of a block in shared memory that the kernel declares. */
  sharedBytes: number
  constBytes: number
  /** Threads that a block may have at most. */
  largestBlock: number
  /** Bytes of shared memory that its launches ask for at most, besides `sharedBytes`. */
  dynamicShared: number
  /** Why the device would not launch it; null when it would. */
  error: string | null
}

/** Functions of both add-ons of this package. `library` is a file of NCCL, or null. */
export interface RankAddon extends NativeAddon, CommAddon, ProfileAddon {
  /** Every kernel that the add-on launches. */
  inventory(device: number): KernelFacts[] | Failure
  /** Id that rank 0 makes for all ranks. */
  commId(library: string | null): Uint8Array | Failure
  /** Gives the id of rank 0 to all over the MPI that started them. */
  commShare(
    device: number,
    kind: string,
    path: string | null,
    timeout: number,
    id: Uint8Array,
  ): Promise<Uint8Array | Failure>
  commJoin(
    device: number,
    id: Uint8Array,
    rank: number,
    worldSize: number,
    library: string | null,
  ): Promise<World | Failure>
}

/** Exports of the add-on of this package. */
export interface Addon extends RankAddon {
  /** Looks for kernels, driver, GPUs, cuBLASLt and NCCL; works where there are none. */
  probe(): Finding[]
  /** Opens the GPU with this index among those that the driver shows. */
  open(index: number): Opened | Failure
}

/** Exports of the add-on whose kernels run on the processor. */
export interface EmulatedAddon extends RankAddon {
  /**
   * `schedule` orders the threads of a block: 0 to 3 reach the extremes of what a GPU may do. `memory` is its bytes, 0 for 8 GiB;
   * after `life` kernels the device is lost, never for 0.
   */
  openEmulated(schedule: number, memory: number, life: number): Opened | Failure
}
