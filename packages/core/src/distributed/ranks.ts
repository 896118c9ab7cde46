import { createHash } from 'node:crypto'
import { IftError, type Backend, type Communicator, type Tensor } from '@ift/tensor'

/** The ranks of a run, for what is not a gradient: bytes and numbers that all must know. Every rank makes the same calls. */
export class Ranks {
  readonly rank: number
  readonly worldSize: number
  readonly comm: Communicator

  private constructor(
    readonly backend: Backend,
    comm: Communicator,
  ) {
    this.comm = comm
    this.rank = comm.rank
    this.worldSize = comm.worldSize
  }

  /** Null for a device alone. */
  static of(backend: Backend): Ranks | null {
    const { comm } = backend
    return comm && comm.worldSize > 1 ? new Ranks(backend, comm) : null
  }

  /** Rank 0 writes the files of a run; the others only compute. */
  get isFirst(): boolean {
    return this.rank === 0
  }

  /** Bytes of every rank, in their order; the same number on each. */
  async gather(bytes: Uint8Array): Promise<Uint8Array[]> {
    const { backend, worldSize } = this
    const n = bytes.byteLength
    const source = backend.alloc(n)
    const all = backend.alloc(n * worldSize)
    try {
      backend.write(source, bytes)
      this.comm.allGather(all, source, n, 'u8')
      const host = new Uint8Array(n * worldSize)
      await backend.read(all, host)
      return Array.from({ length: worldSize }, (_, rank) => host.slice(rank * n, (rank + 1) * n))
    } finally {
      backend.free(source)
      backend.free(all)
    }
  }

  /** Sums over ranks, in f64 and in rank order: the same on each. */
  async sum(numbers: readonly number[]): Promise<number[]> {
    const own = Float64Array.from(numbers)
    const all = await this.gather(new Uint8Array(own.buffer))
    const total = new Float64Array(numbers.length)
    for (const bytes of all) for (const [i, x] of new Float64Array(bytes.buffer).entries()) total[i]! += x
    return [...total]
  }

  /** Gives a text of rank 0 to every rank. */
  async fromFirst(text: string | null): Promise<string> {
    const { backend } = this
    const bytes = new TextEncoder().encode(text ?? '')
    const [lengths] = await this.gather(new Uint8Array(Float64Array.of(bytes.byteLength).buffer))
    const n = new Float64Array(lengths!.buffer)[0]!
    const host = new Uint8Array(n)
    if (this.isFirst) host.set(bytes)
    if (n === 0) return ''
    const buf = backend.alloc(n)
    try {
      backend.write(buf, host)
      this.comm.broadcast(buf, n, 'u8', 0)
      await backend.read(buf, host)
    } finally {
      backend.free(buf)
    }
    return new TextDecoder().decode(host)
  }

  /**
   * Waits until every rank is here, and makes sure that they are about to do the same thing. Throws `IFT_RANKS_DIFFER`,
   * on every rank, with the names of the facts that differ and of the ranks.
   */
  async agree(facts: Readonly<Record<string, string>>): Promise<void> {
    const names = Object.keys(facts)
    const digest = Buffer.concat(names.map((name) => createHash('sha256').update(facts[name]!).digest()))
    const all = await this.gather(new Uint8Array(digest))
    const part = (rank: number, i: number) => Buffer.from(all[rank]!).toString('hex', i * 32, (i + 1) * 32)
    const faults = names.flatMap((name, i) => {
      const others = all.flatMap((_, rank) => (part(rank, i) === part(0, i) ? [] : [rank]))
      return others.length ? [`  - ${name}: rank ${others.join(', ')} has another than rank 0`] : []
    })
    if (faults.length)
      throw new IftError(
        'IFT_RANKS_DIFFER',
        `The ${this.worldSize} ranks are not about to do the same:\n${faults.join('\n')}`,
        'Give every rank the same config, data, weights and version of ift.',
      )
  }

  /** Makes tensors on every rank those of rank 0. */
  shareFromFirst(tensors: Iterable<Tensor>): void {
    for (const { buf, size, dtype } of tensors) this.comm.broadcast(buf, size, dtype, 0)
  }
}
