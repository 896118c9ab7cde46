import type { Backend } from '@ift/tensor'

export interface DeviceRequest {
  /** Index among the devices of the kind. */
  readonly index: number
  /** Threads of a CPU device; null leaves it to the backend. */
  readonly threads: number | null
}

/** Opens devices of one kind. */
export interface BackendDefinition {
  /** 'cpu', 'cuda', … as the config's `device` writes it. */
  readonly name: string
  open(request: DeviceRequest): Promise<Backend>
}
