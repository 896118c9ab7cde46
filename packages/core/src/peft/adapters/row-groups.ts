import { IftError, tensor, type Backend, type Tensor } from '@ift/tensor'
import type { AdapterChoice, AdapterRows, SequenceAdapters } from '../../contract/index.js'

/** Rows of a pass that are computed with one adapter, or with the base. Their order among each other stays. */
export interface RowGroup {
  readonly adapter: AdapterChoice
  /** Indices, contiguous or scattered. */
  readonly rows: ArrayLike<number>
}

/** Rows of one module's input that go to one module. */
export interface RowPart {
  /** Index in `RowGroups.adapters`; -1 for the base. */
  readonly owner: number
  /** First row and the one behind the last, where they are contiguous. */
  readonly start: number
  readonly end: number
  /** i32 [rows]; null where they are contiguous. */
  readonly index: Tensor | null
}

/** How the rows that a module gets are shared out. */
export interface RowSplit {
  readonly parts: readonly RowPart[]
  /** i32 [N]: where each row lies in the parts one after the other; null where that is its own place. */
  readonly order: Tensor | null
}

/** A module of the model that several adapters have replaced. */
export interface SwitchedModule {
  has(adapter: AdapterChoice): boolean
}

/**
 * The rows of a pass by adapter. Sequences become rows of the pass, and these the rows that leave the last layer, here and nowhere
 * else: a module sees either all rows of the pass or, behind the attention of the last layer, those of `outputRows`, and tells them
 * apart by their number. A head that works through its rows in chunks asks for them by `headPart`.
 */
export class RowGroups implements AdapterRows {
  readonly adapters: readonly AdapterChoice[]
  /** Index of the adapter of each row of the pass, and of each row that leaves the last layer. */
  readonly #all: Int32Array
  readonly #output: Int32Array | null
  readonly #splits = new Map<SwitchedModule, { readonly all: RowSplit; readonly output: RowSplit | null }>()
  readonly #tensors: Tensor[] = []

  /** `set` is whose adapters they are, `switches` the modules that share rows out. */
  constructor(
    readonly set: object,
    backend: Backend,
    groups: readonly RowGroup[],
    outputRows: ArrayLike<number> | undefined,
    switches: Iterable<SwitchedModule>,
  ) {
    this.adapters = [...new Set(groups.map(({ adapter }) => adapter))]
    this.#all = ownersOf(groups, this.adapters)
    this.#output = outputRows === undefined ? null : wanted(this.#all, outputRows)
    if (this.uniform !== undefined) return
    // Modules with the same adapters share their rows out alike.
    const made = new Map<string, { readonly all: RowSplit; readonly output: RowSplit | null }>()
    for (const module of switches) {
      const owners = this.#ownersAt(module)
      const key = owners.join()
      let split = made.get(key)
      if (!split) {
        const own = (index: Tensor) => this.#tensors.push(index)
        const all = splitRows(backend, this.#all, owners, own)
        const output = this.#output && splitRows(backend, this.#output, owners, own)
        made.set(key, (split = { all, output }))
      }
      this.#splits.set(module, split)
    }
  }

  get uniform(): AdapterChoice | undefined {
    return this.adapters.length === 1 ? this.adapters[0] : undefined
  }

  /** Of the `count` rows that a module gets. IFT_ADAPTER_ROWS for a number that a pass of these rows does not have. */
  splitOf(module: SwitchedModule, count: number): RowSplit {
    const split = this.#splits.get(module)
    if (split && count === this.#all.length) return split.all
    if (split?.output && count === this.#output!.length) return split.output
    throw new IftError(
      'IFT_ADAPTER_ROWS',
      split
        ? `A module that adapters share got ${count} rows; the pass was said to have ${this.#all.length}${this.#output ? `, ${this.#output.length} of them behind the last attention` : ''}.`
        : 'The rows were shared out before an adapter was loaded or removed.',
      'Make the rows anew for this pass: adapters.rows({ lengths, adapters, outputRows }).',
    )
  }

  /** Of rows `start` up to `end` of those that the head gets. Its tensors belong to the scope of the call. */
  headPart(module: SwitchedModule, backend: Backend, start: number, end: number): RowSplit {
    const rows = (this.#output ?? this.#all).subarray(start, end)
    return splitRows(backend, rows, this.#ownersAt(module), () => undefined)
  }

  release(): void {
    for (const held of this.#tensors) held.release()
    this.#tensors.length = 0
    this.#splits.clear()
  }

  /** Who computes the rows of each adapter in a module: the adapter's own module, or the base's. */
  #ownersAt(module: SwitchedModule): number[] {
    return this.adapters.map((adapter, i) => (module.has(adapter) ? i : -1))
  }
}

/** The groups of a pass of sequences. */
export function groupsOf({ lengths, adapters }: SequenceAdapters): RowGroup[] {
  if (lengths.length !== adapters.length)
    throw rowsError(`${lengths.length} sequences have ${adapters.length} adapters`)
  const rows = new Map<AdapterChoice, number[]>()
  let at = 0
  for (const [i, length] of lengths.entries()) {
    const adapter = adapters[i]!
    const own = rows.get(adapter) ?? []
    for (let r = 0; r < length; r++) own.push(at++)
    rows.set(adapter, own)
  }
  return [...rows].map(([adapter, own]) => ({ adapter, rows: own }))
}

/** Index of the adapter of each row. */
function ownersOf(groups: readonly RowGroup[], adapters: readonly AdapterChoice[]): Int32Array {
  const count = groups.reduce((sum, { rows }) => sum + rows.length, 0)
  const owners = new Int32Array(count).fill(-1)
  if (count === 0) throw rowsError('there are no rows')
  for (const { adapter, rows } of groups) {
    const owner = adapters.indexOf(adapter)
    for (const row of Array.from(rows)) {
      if (owners[row] !== -1)
        throw rowsError(
          owners[row] === undefined
            ? `row ${row} is named, and the groups have ${count} rows`
            : `row ${row} is in two groups`,
        )
      owners[row] = owner
    }
  }
  return owners
}

function wanted(owners: Int32Array, outputRows: ArrayLike<number>): Int32Array {
  const rows = Array.from(outputRows)
  const outside = rows.find((row) => owners[row] === undefined)
  if (outside !== undefined)
    throw rowsError(`outputRows names row ${outside}, and the pass has ${owners.length}`)
  const output = Int32Array.from(rows, (row) => owners[row]!)
  // As many rows, in another order: a module could not tell them from the rows of the pass.
  if (output.length === owners.length && output.some((owner, i) => owner !== owners[i]))
    throw rowsError('outputRows changes the order of all rows')
  return output
}

function splitRows(
  backend: Backend,
  rowOwners: Int32Array,
  ownersAt: readonly number[],
  own: (made: Tensor) => void,
): RowSplit {
  const indices = (values: readonly number[] | Int32Array) => {
    const made = tensor(backend, values, [values.length], 'i32')
    own(made)
    return made
  }
  const lists = new Map<number, number[]>()
  for (const [row, owner] of rowOwners.entries()) {
    const at = ownersAt[owner]!
    const list = lists.get(at)
    if (list) list.push(row)
    else lists.set(at, [row])
  }
  const order = new Int32Array(rowOwners.length)
  let at = 0
  const parts = [...lists].map(([owner, rows]): RowPart => {
    for (const row of rows) order[row] = at++
    const start = rows[0]!
    const end = rows.at(-1)! + 1
    return { owner, start, end, index: end - start === rows.length ? null : indices(rows) }
  })
  return { parts, order: order.every((to, row) => to === row) ? null : indices(order) }
}

const rowsError = (problem: string) =>
  new IftError('IFT_ADAPTER_ROWS', `Rows of adapters: ${problem}.`, 'Every row of the pass is in one group.')
