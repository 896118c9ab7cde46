import type { DType } from '../dtype.js'
import type { Buf } from './buffer.js'

/**
 * Collectives over all ranks, queued behind the kernels that produced their data. Every rank makes the same calls in the
 * same order. A rank that does not come is an error at the next read: `IFT_RANK_MISSING`, which names it.
 */
export interface Communicator {
  readonly rank: number
  readonly worldSize: number
  /** The library underneath, with version and file. */
  readonly library: string
  /** buf [n] becomes the reduction over ranks, the same bits on each; u8 has none. bf16 and f16 are summed in f32. */
  allReduce(buf: Buf, n: number, dtype: DType, op: 'sum' | 'max'): void
  /** dst [n] = the sum over ranks of src [worldSize, n], of which rank r gets row r. */
  reduceScatter(dst: Buf, src: Buf, n: number, dtype: DType): void
  /** dst [worldSize, n] = src [n] of every rank, in their order. */
  allGather(dst: Buf, src: Buf, n: number, dtype: DType): void
  /** buf [n] of every rank becomes that of `root`. */
  broadcast(buf: Buf, n: number, dtype: DType, root: number): void
  /** Later kernels run when every rank has reached this point. */
  barrier(): void
  /** Waits for every rank and ends the communicator: the good end of a run. */
  leave(): Promise<void>
  /** Ends this process with an exit code, and through the launcher all others: the bad end. */
  abort(code: number): never
}
