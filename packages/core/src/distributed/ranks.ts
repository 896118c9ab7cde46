import { createHash } from 'node:crypto'
import { IftError, type Backend, type Communicator, type Tensor } from '@ift/tensor'

/** Facts that all ranks must agree on, by subject and field; values are compared and shown as they are. */
export type Facts = Readonly<Record<string, Readonly<Record<string, string | number>>>>

/** Longest value of a fact that travels whole; of others the beginning and a hash. */
const longestValue = 200
/** Lines about differences in an error. */
const mostLines = 12

const sha256 = (text: string) => createHash('sha256').update(text)

/** Facts as lines of subject, field and value, in an order that does not depend on that of the keys. */
function table(facts: Facts): Map<string, string> {
  const rows = Object.entries(facts).flatMap(([subject, fields]) =>
    Object.entries(fields).map(([field, value]): [string, string] => {
      const text = String(value)
      const short = `${text.slice(0, 80)}… (sha256 ${sha256(text).digest('hex').slice(0, 12)})`
      return [`${subject} ${field}`, text.length > longestValue ? short : text]
    }),
  )
  return new Map(rows.sort(([a], [b]) => (a < b ? -1 : 1)))
}

/** One line for each field that differs, and which ranks have what. */
function differences(tables: readonly ReadonlyMap<string, string>[]): string[] {
  const fields = new Set(tables.flatMap((facts) => [...facts.keys()]))
  return [...fields].flatMap((field) => {
    const values = tables.map((facts) => facts.get(field) ?? 'nothing')
    const ranksBy = new Map<string, number[]>()
    for (const [rank, value] of values.entries()) {
      if (value !== values[0]) ranksBy.set(value, [...(ranksBy.get(value) ?? []), rank])
    }
    const others = [...ranksBy].map(
      ([value, ranks]) =>
        `${ranks.length === 1 ? 'rank' : 'ranks'} ${ranks.join(', ')} ${ranks.length === 1 ? 'has' : 'have'} ${value}`,
    )
    return others.length ? [`  - ${field}: ${others.join(', ')}, rank 0 has ${values[0]!}`] : []
  })
}

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

  /** A text of every rank, in their order. */
  async #texts(own: string): Promise<string[]> {
    const bytes = new TextEncoder().encode(own)
    const lengths = (await this.gather(new Uint8Array(Float64Array.of(bytes.byteLength).buffer))).map(
      (length) => new Float64Array(length.buffer)[0]!,
    )
    const padded = new Uint8Array(Math.max(1, ...lengths))
    padded.set(bytes)
    const all = await this.gather(padded)
    return all.map((text, rank) => new TextDecoder().decode(text.subarray(0, lengths[rank])))
  }

  /**
   * Waits until every rank is here, and makes sure that they are about to do the same thing. Throws `IFT_RANKS_DIFFER`,
   * on every rank, with the fields that differ and what the ranks have there.
   */
  async agree(facts: Facts): Promise<void> {
    const text = JSON.stringify([...table(facts)])
    const digests = await this.gather(new Uint8Array(sha256(text).digest()))
    const [first] = digests
    if (digests.every((digest) => Buffer.compare(digest, first!) === 0)) return
    const tables = (await this.#texts(text)).map((rows) => new Map(JSON.parse(rows) as [string, string][]))
    const lines = differences(tables)
    const more = lines.length > mostLines ? [`  - and ${lines.length - mostLines} more`] : []
    throw new IftError(
      'IFT_RANKS_DIFFER',
      `The ${this.worldSize} ranks are not about to do the same:\n${[...lines.slice(0, mostLines), ...more].join('\n')}`,
      'Give every rank the same config, data, weights and version of ift.',
    )
  }

  /** Makes tensors on every rank those of rank 0. */
  shareFromFirst(tensors: Iterable<Tensor>): void {
    for (const { buf, size, dtype } of tensors) this.comm.broadcast(buf, size, dtype, 0)
  }
}
