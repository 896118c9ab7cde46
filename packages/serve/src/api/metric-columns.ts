import type { Columns } from './types.js'

/** Lines of a kind as columns of one length, whatever each of them has. NaN where a line has no number. */
export class MetricColumns {
  readonly #columns = new Map<string, Float64Array>()
  #room = 0
  length = 0

  add(step: number, values: Readonly<Record<string, number | null>>): void {
    if (this.length === this.#room) this.#grow()
    this.#column('step')[this.length] = step
    for (const [name, value] of Object.entries(values))
      if (name !== 'step') this.#column(name)[this.length] = value ?? Number.NaN
    this.length++
  }

  #grow(): void {
    this.#room = Math.max(64, 2 * this.#room)
    for (const [name, column] of this.#columns) {
      const larger = new Float64Array(this.#room).fill(Number.NaN, column.length)
      larger.set(column)
      this.#columns.set(name, larger)
    }
  }

  #column(name: string): Float64Array {
    const found = this.#columns.get(name) ?? new Float64Array(this.#room).fill(Number.NaN)
    this.#columns.set(name, found)
    return found
  }

  /** Bytes that they take. */
  get bytes(): number {
    return 8 * this.#room * this.#columns.size
  }

  get names(): readonly string[] {
    return this.length === 0 ? ['step'] : [...this.#columns.keys()]
  }

  values(name: string): Float64Array {
    return this.#columns.get(name)?.subarray(0, this.length) ?? new Float64Array(0)
  }

  /** As JSON has them. */
  json(): Columns {
    const numbers = (name: string) =>
      Array.from(this.values(name), (value) => (Number.isFinite(value) ? value : null))
    return Object.fromEntries(this.names.map((name) => [name, numbers(name)])) as unknown as Columns
  }
}

/** Steps and evaluations of a run. */
export class RunColumns {
  readonly train = new MetricColumns()
  readonly evaluation = new MetricColumns()

  get bytes(): number {
    return this.train.bytes + this.evaluation.bytes
  }
}

/** Columns as `MetricsBytes` describes them: a run of 50,000 steps is written and read in milliseconds, which as JSON are hundreds. */
export function columnsBytes(
  { train, evaluation }: RunColumns,
  facts: { readonly position: string; readonly broken: number },
): Uint8Array<ArrayBuffer> {
  const kind = (columns: MetricColumns) => ({ names: columns.names, length: columns.length })
  const header = new TextEncoder().encode(
    JSON.stringify({ ...facts, train: kind(train), evaluation: kind(evaluation) }),
  )
  const start = Math.ceil((4 + header.length) / 8) * 8
  const all = [train, evaluation].flatMap((columns) => columns.names.map((name) => columns.values(name)))
  const bytes = new Uint8Array(start + all.reduce((sum, { byteLength }) => sum + byteLength, 0))
  new DataView(bytes.buffer).setUint32(0, start, true)
  bytes.fill(0x20, 4, start)
  bytes.set(header, 4)
  let at = start
  for (const { buffer, byteOffset, byteLength } of all) {
    bytes.set(new Uint8Array(buffer, byteOffset, byteLength), at)
    at += byteLength
  }
  return bytes
}
