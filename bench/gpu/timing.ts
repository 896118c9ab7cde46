import { performance } from 'node:perf_hooks'

import { itemSize, type Backend, type Buf, type DType, type Recording } from '@ift/tensor'
import { median } from '../median.mjs'

/** One kernel at one size: its time, and its rate by what bounds it. */
export interface Measured {
  kernel: string
  shape: string
  /** Median of the samples. */
  ms: number
  gbPerS?: number
  tflopPerS?: number
  /** Sets of buffers in turn, so that none is in the cache from the call before. */
  sets: number
  /** Replays of a recording; or, where a kernel cannot be recorded, calls one behind the other. */
  timing: 'recorded' | 'queued'
  /** Why it was not recorded. */
  reason?: string
}

/** A kernel that could not be timed. */
interface Failed {
  kernel: string
  shape: string
  error: string
}

export interface TimingSizes {
  /** Bytes that the sets of a kernel have together at least. */
  readonly rotate: number
  /** Calls in a recording at least. */
  readonly calls: number
  /** Milliseconds of a sample at least. */
  readonly sample: number
  readonly samples: number
}

/** More than the last cache of any GPU, and as many samples as a median needs. */
export const measured: TimingSizes = { rotate: 208e6, calls: 8, sample: 8, samples: 9 }

/** A dry run. */
export const tried: TimingSizes = { rotate: 0, calls: 2, sample: 0, samples: 1 }

/** Sets of small buffers that are still worth their memory. */
const mostSets = 64

/** Calls of a kernel on one set of buffers. */
type Call = () => void

/** Times kernels as torch_kernels.py does: replays of a recording over sets of buffers in turn, medians of wall time. */
export class Timing {
  readonly #backend: Backend
  readonly #sizes: TimingSizes
  readonly #done: (row: Measured | Failed) => void
  readonly #buffers: Buf[] = []
  #bytes = 0

  /** `done` gets every row at once: a kernel that ends the process leaves those before it. */
  constructor(backend: Backend, sizes: TimingSizes, done: (row: Measured | Failed) => void) {
    this.#backend = backend
    this.#sizes = sizes
    this.#done = done
  }

  /** A buffer of small normal numbers, or of zeros for integers; freed after the kernel that it is for. */
  buffer(count: number, dtype: DType = 'bf16'): Buf {
    const buf = this.#alloc(count * itemSize(dtype))
    if (dtype === 'f32' || dtype === 'bf16' || dtype === 'f16')
      this.#backend.random(buf, count, 'normal', 1, this.#buffers.length, dtype)
    else this.#backend.fill(buf, 0, count, dtype)
    return buf
  }

  integers(values: readonly number[]): Buf {
    const buf = this.#alloc(values.length * 4)
    this.#backend.write(buf, Int32Array.from(values))
    return buf
  }

  #alloc(bytes: number): Buf {
    const buf = this.#backend.alloc(bytes)
    this.#buffers.push(buf)
    this.#bytes += bytes
    return buf
  }

  /** Times a kernel; `make` makes one set of its buffers and returns the call on it. */
  async time(
    kernel: string,
    shape: string,
    bound: { bytes?: number; flop?: number },
    make: () => Call,
  ): Promise<void> {
    try {
      this.#bytes = 0
      const calls = [make(), make()]
      while (this.#bytes < this.#sizes.rotate && calls.length < mostSets) calls.push(make())
      // Once outside: preparations of a library at the first call are neither timed nor recorded.
      for (const call of calls) call()
      await this.#backend.synchronize()
      const { perCall, ...how } = await this.#sampled(calls)
      const round = (value: number) => Number(value.toPrecision(4))
      this.#done({
        kernel,
        shape,
        ms: round(perCall),
        ...(bound.bytes === undefined ? {} : { gbPerS: round(bound.bytes / perCall / 1e6) }),
        ...(bound.flop === undefined ? {} : { tflopPerS: round(bound.flop / perCall / 1e9) }),
        sets: calls.length,
        ...how,
      })
    } catch (error) {
      this.#done({ kernel, shape, error: String(error).slice(0, 300) })
    } finally {
      for (const buf of this.#buffers.splice(0)) this.#backend.free(buf)
    }
  }

  /** Milliseconds of a call, and how they were found. */
  async #sampled(calls: readonly Call[]): Promise<{ perCall: number } & Pick<Measured, 'timing' | 'reason'>> {
    const rounds = Math.ceil(this.#sizes.calls / calls.length)
    const work = () => {
      for (let round = 0; round < rounds; round++) for (const call of calls) call()
    }
    const each = rounds * calls.length
    let recording: Recording | undefined
    try {
      recording = this.#backend.record?.(work)
      const again = recording
      if (again === undefined) throw new Error('this backend does not record')
      return { perCall: (await this.#median(() => again.replay())) / each, timing: 'recorded' }
    } catch (error) {
      const reason = String(error).slice(0, 300)
      return { perCall: (await this.#median(work)) / each, timing: 'queued', reason }
    } finally {
      recording?.release()
    }
  }

  /** Median over the samples of the milliseconds of one turn, as many turns a sample as it takes to fill its time. */
  async #median(turn: () => void): Promise<number> {
    const { sample, samples } = this.#sizes
    const timed = async (turns: number) => {
      await this.#backend.synchronize()
      const begin = performance.now()
      for (let i = 0; i < turns; i++) turn()
      await this.#backend.synchronize()
      return (performance.now() - begin) / turns
    }
    await timed(1)
    const turns = Math.min(200, Math.max(1, Math.ceil(sample / (await timed(1)))))
    const times: number[] = []
    while (times.length < samples) times.push(await timed(turns))
    return median(times)
  }
}
