/** Time of a kernel over its calls, by `detail`: the shape of a product. */
export interface KernelTime {
  readonly kernel: string
  readonly detail: string
  readonly calls: number
  readonly ms: number
}

/** A backend that measures every kernel between two calls. */
interface Profiled {
  startProfile(): void
  stopProfile(): readonly KernelTime[]
}

/** The backend as one that measures its kernels. */
export function profiled(backend: object): Profiled {
  const is = (object: object): object is Profiled =>
    'startProfile' in object && typeof object.startProfile === 'function' && 'stopProfile' in object
  if (!is(backend)) throw new Error('--profile: this backend does not measure its kernels')
  return backend
}

/** Time of a step by kernel, the longest first. */
export function perStep(times: readonly KernelTime[], steps: number): KernelTime[] {
  const each = (value: number) => Number((value / steps).toPrecision(4))
  return times
    .map(({ kernel, detail, calls, ms }) => ({ kernel, detail, calls: each(calls), ms: each(ms) }))
    .sort((a, b) => b.ms - a.ms)
}
