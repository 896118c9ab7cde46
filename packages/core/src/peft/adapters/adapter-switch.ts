import {
  Embedding,
  IftError,
  Linear,
  Module,
  ops,
  passState,
  TiedLinear,
  zeros,
  type Child,
  type FloatDType,
  type Head,
  type LinearLike,
  type Parameter,
  type Tensor,
} from '@ift/tensor'
import type { AdapterChoice } from '../../contract/index.js'
import type { AdaptedLayer } from '../adapted-layer.js'
import { RowGroups, type RowPart, type RowSplit, type SwitchedModule } from './row-groups.js'

/** Whose adapters a switch holds, and which of them is used where a pass does not say. */
export interface Selection {
  readonly active: AdapterChoice
}

type AnyModule = Module<unknown[], Tensor>
type Update = NonNullable<AdaptedLayer['added']>

/** Rows up to which products are bound by the weights that they read: then several adapters share one. */
const mostShared = 64

const rowsOf = (x: Tensor, { start, end, index }: RowPart): Tensor =>
  index === null ? x.rows(start, end) : ops.gatherRows(x, index)

/** Results of the parts, each row at its place. */
function inOrder(results: readonly Tensor[], order: Tensor | null): Tensor {
  const joined = ops.concatRows(results)
  return order === null ? joined : ops.gatherRows(joined, order)
}

function callWith(module: AnyModule, x: Tensor, addTo: Tensor | undefined, part: RowPart): Tensor {
  // Ids are looked up in every table that there is: rows are gathered of numbers alone.
  if (x.dtype === 'i32' && part.index !== null) return ops.gatherRows(module.call(x), part.index)
  return module.call(rowsOf(x, part), addTo && rowsOf(addTo, part))
}

/**
 * A module of the base together with the modules that adapters have in its place. It shows in no path: names and parameters below
 * are the base's. A call goes to the module of the adapter that is selected, or, where the rows of a pass have several, to each
 * module with its rows; x [N, ...], addTo [N, M] or none -> [N, M].
 */
export class AdapterSwitch extends Module<unknown[], Tensor> implements LinearLike, SwitchedModule {
  readonly #base: AnyModule
  readonly #selection: Selection
  readonly #modules = new Map<string, AnyModule>()

  constructor(
    readonly path: string,
    base: Module,
    selection: Selection,
  ) {
    super()
    this.#base = base as AnyModule
    this.#selection = selection
  }

  /** Whether rows can be given to it in parts: those of linear layers and of embeddings do not depend on each other. */
  get sharesRows(): boolean {
    const base: unknown = this.#base
    return base instanceof Linear || base instanceof TiedLinear || base instanceof Embedding
  }

  get isEmpty(): boolean {
    return this.#modules.size === 0
  }

  has(adapter: AdapterChoice): boolean {
    return adapter !== null && this.#modules.has(adapter)
  }

  set(adapter: string, module: Module): void {
    this.#modules.set(adapter, module as AnyModule)
  }

  /** The module of an adapter, which is the switch's no more; undefined where it has none. */
  take(adapter: string): Module | undefined {
    const module = this.#modules.get(adapter)
    this.#modules.delete(adapter)
    return module
  }

  override call(...args: unknown[]): Tensor {
    const rows = this.#rows()
    if (rows === null) return this.#moduleOf(this.#selection.active).call(...args)
    if (rows.uniform !== undefined) return this.#moduleOf(rows.uniform).call(...args)
    return super.call(...args)
  }

  protected forward(x: unknown, addTo?: unknown): Tensor {
    const rows = this.#rows()!
    const input = x as Tensor
    return this.#share(rows, rows.splitOf(this, input.dim(0)), input, addTo as Tensor | undefined)
  }

  /** The head for a chunk of its rows. */
  forRows(start: number, end: number): Head {
    const rows = this.#rows()
    if (rows?.uniform !== undefined || rows === null) return this
    const { inFeatures, outFeatures } = this
    const call = (x: Tensor, addTo?: Tensor) =>
      this.#share(rows, rows.headPart(this, x.backend, start, end), x, addTo)
    const forRows = (from: number, to: number) => this.forRows(start + from, start + to)
    return { inFeatures, outFeatures, call, forRows }
  }

  #rows(): RowGroups | null {
    const state = passState()
    return state instanceof RowGroups && state.set === this.#selection ? state : null
  }

  #moduleOf(adapter: AdapterChoice): AnyModule {
    return (adapter === null ? undefined : this.#modules.get(adapter)) ?? this.#base
  }

  #share({ adapters }: RowGroups, { parts, order }: RowSplit, x: Tensor, addTo: Tensor | undefined): Tensor {
    const modules = parts.map(({ owner }) => this.#moduleOf(owner < 0 ? null : adapters[owner]!))
    if (parts.length === 1) return modules[0]!.call(x, addTo)
    const updates = x.dim(0) > mostShared ? null : this.#updatesOf(modules)
    if (updates !== null) return this.#overOneProduct(updates, { parts, order }, x, addTo)
    return inOrder(
      parts.map((part, i) => callWith(modules[i]!, x, addTo, part)),
      order,
    )
  }

  /** What each module adds to the base's, null for the base's own; null where one of them does more than that. */
  #updatesOf(modules: readonly AnyModule[]): (Update | null)[] | null {
    if ((this.#base as unknown) instanceof Embedding) return null
    const updates: (Update | null)[] = []
    for (const module of modules) {
      const update = module === this.#base ? null : (module as Partial<AdaptedLayer>).added
      if (update === undefined) return null
      updates.push(update)
    }
    return updates
  }

  /** One product of all rows with the frozen weights, which takes the time of reading these, and what each adapter adds to its rows. */
  #overOneProduct(
    updates: readonly (Update | null)[],
    { parts, order }: RowSplit,
    x: Tensor,
    addTo: Tensor | undefined,
  ): Tensor {
    const { backend } = x
    const f32 = (rows: number) => zeros(backend, [rows, this.outFeatures], 'f32')
    const y = this.#base.call(x, addTo ? ops.cast(addTo, 'f32') : f32(x.dim(0)))
    const added = parts.map((part, i) => {
      const rows = part.index?.size ?? part.end - part.start
      return updates[i]?.(rowsOf(x, part)) ?? f32(rows)
    })
    // Rounded once, as one layer does.
    return ops.cast(ops.add(y, inOrder(added, order)), (addTo ?? x).dtype as FloatDType)
  }

  // What the module of the base shows of itself.

  get inFeatures(): number {
    return (this.#base as unknown as LinearLike).inFeatures
  }

  get outFeatures(): number {
    return (this.#base as unknown as LinearLike).outFeatures
  }

  get count(): number {
    return (this.#base as unknown as Embedding).count
  }

  get dim(): number {
    return (this.#base as unknown as Embedding).dim
  }

  get scale(): number {
    return (this.#base as unknown as Embedding).scale
  }

  get weight(): Parameter {
    return (this.#base as unknown as Embedding).weight
  }

  override get transparent(): Module {
    return this.#base
  }

  override replaceTransparent(): void {
    throw new IftError(
      'IFT_ADAPTERS_HELD',
      `"${this.path}" is shared by several adapters and cannot be replaced.`,
      'Release the set of adapters first, or open the model without it.',
    )
  }

  override namedParameters(prefix = ''): IterableIterator<[path: string, parameter: Parameter]> {
    return this.#base.namedParameters(prefix)
  }

  override namedModules(prefix = ''): IterableIterator<[path: string, module: Module]> {
    return this.#base.namedModules(prefix)
  }

  override children(): IterableIterator<Child> {
    return this.#base.children()
  }
}
