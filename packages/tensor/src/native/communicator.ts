import type { Buf, Communicator } from '../backend.js'
import type { DType } from '../dtype.js'
import type { Failure, Outcome } from './addon.js'
import { raise } from './failure.js'

/** Rank of this process and the library that it talks over. */
export interface World {
  rank: number
  size: number
  library: string
}

/** Exports of an add-on whose devices can join ranks. Dtypes are codes; `op` 0 is a sum, 1 a maximum. */
export interface CommAddon {
  commAllReduce(device: number, buf: number, n: number, dtype: number, op: number): Outcome
  commReduceScatter(
    device: number,
    dst: number,
    src: number,
    n: number,
    dtype: number,
    worldSize: number,
  ): Outcome
  commAllGather(
    device: number,
    dst: number,
    src: number,
    n: number,
    dtype: number,
    worldSize: number,
  ): Outcome
  commBroadcast(device: number, buf: number, n: number, dtype: number, root: number): Outcome
  commBarrier(device: number): Outcome
  commLeave(device: number): Promise<Failure | null>
  commAbort(code: number): never
}

const dtypes: Readonly<Record<DType, number>> = { f32: 0, bf16: 1, f16: 2, i32: 3, u8: 4 }

/** The ranks that a device of a native add-on has joined. */
export class NativeCommunicator implements Communicator {
  readonly rank: number
  readonly worldSize: number
  readonly library: string
  readonly #native: CommAddon
  readonly #device: number

  constructor(native: CommAddon, device: number, { rank, size, library }: World) {
    this.#native = native
    this.#device = device
    this.rank = rank
    this.worldSize = size
    this.library = library
  }

  allReduce(buf: Buf, n: number, dtype: DType, op: 'sum' | 'max'): void {
    raise(this.#native.commAllReduce(this.#device, buf, n, dtypes[dtype], op === 'sum' ? 0 : 1))
  }

  reduceScatter(dst: Buf, src: Buf, n: number, dtype: DType): void {
    raise(this.#native.commReduceScatter(this.#device, dst, src, n, dtypes[dtype], this.worldSize))
  }

  allGather(dst: Buf, src: Buf, n: number, dtype: DType): void {
    raise(this.#native.commAllGather(this.#device, dst, src, n, dtypes[dtype], this.worldSize))
  }

  broadcast(buf: Buf, n: number, dtype: DType, root: number): void {
    raise(this.#native.commBroadcast(this.#device, buf, n, dtypes[dtype], root))
  }

  barrier(): void {
    raise(this.#native.commBarrier(this.#device))
  }

  async leave(): Promise<void> {
    raise(await this.#native.commLeave(this.#device))
  }

  abort(code: number): never {
    return this.#native.commAbort(code)
  }
}
