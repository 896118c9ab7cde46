import type { CommAddon, Failure, NativeAddon, Outcome, ProfileAddon, World } from '@ift/tensor/native'

/** A device just opened: its number comes first in every call. */
export interface Opened {
  device: number
  threads: number
  isa: string
  /** Notes about this processor for the user. */
  note?: string
}

/** Peak rates of the machine. */
export interface Roofs {
  /** GFLOP/s of products whose operands lie in the first-level cache. */
  peak: number
  /** GB/s of reading memory. */
  bandwidth: number
}

/** Exports of the add-on of this package. */
export interface Addon extends NativeAddon, CommAddon, ProfileAddon {
  /** Instruction sets that `open` accepts on this processor, weakest first. */
  instructionSets(): string[]
  /** `threads` 0 takes one for each core, `isa` '' the strongest set. */
  open(threads: number, isa: string): Opened | Failure

  /** Whether rows of results do not depend on each other in kernels from here on. */
  setInvariantRows(device: number, on: boolean): Outcome

  roofs(device: number, dtype: number): Roofs | Failure

  /** `kind` is openmpi or mpich, `path` its library or null. */
  commJoin(device: number, kind: string, path: string | null, timeout: number): Promise<World | Failure>
}
