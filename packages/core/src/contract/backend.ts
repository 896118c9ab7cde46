import type { Backend } from '@ift/tensor'
import type { RankPlace } from './ranks.js'

/** The ranks that a device joins. */
export interface RankRequest {
  readonly place: RankPlace
  /** Seconds that a collective waits for a rank. */
  readonly timeout: number
  /** Library of the collectives; null looks for it. */
  readonly library: string | null
  /** Gives the bytes of rank 0 to every rank: how a library that has no launcher of its own begins. */
  exchange(bytes: Uint8Array | null): Promise<Uint8Array>
}

export interface DeviceRequest {
  /** Index among the devices of the kind. */
  readonly index: number
  /** Threads of a CPU device; null leaves it to the backend. */
  readonly threads: number | null
  /** The device gets a communicator over these ranks; absent for a device alone. */
  readonly ranks?: RankRequest
}

/** One thing that a device needs of the machine: a driver, a library, a device. */
export interface MachineFinding {
  readonly name: string
  readonly found: boolean
  /** Place and version of the find, or the reason why it is missing and the package to install. */
  readonly text: string
}

/** Opens devices of one kind. */
export interface BackendDefinition {
  /** 'cpu', 'cuda', … as the config's `device` writes it. */
  readonly name: string
  open(request: DeviceRequest): Promise<Backend>
  /** Drivers, libraries and devices that were found or are missing; opens no device. */
  look?(): readonly MachineFinding[]
}
