import type { Failure, Outcome } from './addon.js'

/** Calls of one kernel since the profile was started, and the time they took. */
export interface KernelTime {
  kernel: string
  /** The shape of a product, which distinguishes calls of one kernel. */
  detail: string
  calls: number
  ms: number
}

/** Exports of an add-on that counts the time of its kernels. */
export interface ProfileAddon {
  startProfile(device: number): Outcome
  stopProfile(device: number): KernelTime[] | Failure
}
