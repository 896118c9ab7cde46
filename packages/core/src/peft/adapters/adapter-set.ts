import { IftError, withPassState, type CausalLM, type Child, type Module } from '@ift/tensor'
import type {
  AdapterChoice,
  AdapterRows,
  AdapterSource,
  PassAdapters,
  PeftContext,
  PeftHandle,
  PeftMethod,
  SequenceAdapters,
} from '../../contract/index.js'
import { baseName, checkAdapterName } from '../../config/adapters.js'
import { suggest } from '../../suggest.js'
import { optionsOf } from '../setting.js'
import { AdapterSwitch } from './adapter-switch.js'
import { BaseWeights } from './base-weights.js'
import { placesOf } from './places.js'
import { groupsOf, RowGroups, type RowGroup } from './row-groups.js'

/** What an adapter is loaded by. */
export interface AdapterToLoad {
  readonly source: AdapterSource
  readonly method: PeftMethod
  /** Of the method; those of the adapter's config when absent. */
  readonly options?: unknown
}

interface Loaded {
  readonly handle: PeftHandle
  /** Where it has modules of its own. */
  readonly paths: readonly string[]
  /** Parameters of the base that it has trained, whose values are exchanged. */
  readonly whole: readonly string[]
}

/** A place in the model with its module and the switch on it. */
interface Place {
  readonly child: Child
  readonly module: Module
  readonly on: AdapterSwitch
}

/**
 * Several adapters over one model, by name. At every module that one of them replaces stands a switch with the base's module and
 * theirs; methods know nothing of it. One adapter is used at a time, or none, or each for its rows of a pass.
 *
 * The model stays as it was: paths and parameters are the base's, and with no adapter in use it computes what it did, bit for bit.
 * An adapter that trains parameters of the model itself (biases, norms, modules_to_save) exchanges their values when it is used, and
 * has to be alone in a pass.
 */
export class AdapterSet implements PassAdapters {
  readonly #model: CausalLM
  readonly #context: Omit<PeftContext, 'adapter'>
  readonly #adapters = new Map<string, Loaded>()
  readonly #places = new Map<string, Place>()
  #changes = 0
  /** What switches compute with, which is another one than `#active` while an adapter is loaded. */
  readonly #selection: { active: AdapterChoice } = { active: null }
  #active: AdapterChoice = null
  /** The last `load`: they run one after the other. */
  #loading: Promise<unknown> = Promise.resolve()

  constructor(model: CausalLM, context: Omit<PeftContext, 'adapter'>) {
    this.#model = model
    this.#context = context
  }

  get names(): readonly string[] {
    return [...this.#adapters.keys()]
  }

  get active(): AdapterChoice {
    return this.#active
  }

  get changes(): number {
    return this.#changes
  }

  handle(name: string): PeftHandle {
    return this.#loaded(name).handle
  }

  mixes(name: string): boolean {
    return this.#unmixable(name) === null
  }

  /**
   * Attaches and loads an adapter beside those that are there; it is not used yet. What others have trained stays, with its f32 masters.
   * Whatever fails, the set and the model are as before. Meanwhile the others are off the model: no pass may run.
   * IFT_ADAPTER_NAME for a name that is taken, IFT_ADAPTERS_BASE for an adapter that belongs to other weights than the base's.
   */
  load(name: string, adapter: AdapterToLoad): Promise<PeftHandle> {
    const loaded = this.#loading.then(() => this.#load(name, adapter))
    this.#loading = loaded.catch(() => undefined)
    return loaded
  }

  async #load(name: string, { source, method, options }: AdapterToLoad): Promise<PeftHandle> {
    this.#checkName(name)
    this.#select(null)
    this.#uninstall()
    const model = this.#model
    const before = placesOf(model)
    const modules = new Map([...before].map(([path, { module }]) => [path, module]))
    const weights = new BaseWeights(model)
    let handle: PeftHandle | null = null
    let own: ReadonlyMap<string, Module> = new Map()
    const putBack = () => {
      const replaced = replacedIn(model, modules)
      for (const path of replaced.keys()) before.get(path)?.replace(modules.get(path)!)
      if (replaced.size) own = replaced
    }
    try {
      const context = { ...this.#context, adapter: source }
      handle = await method.attach(model, options ?? optionsOf<unknown>(method, source), context)
      await handle.load(source)
      handle.setTraining(false)
      const whole = [...handle.trainable()].flatMap(({ parameter }) => weights.pathOf(parameter) ?? [])
      if (whole.length) handle.setEnabled(false)
      putBack()
      this.#refuse(name, source, before, own, await weights.restore({ kept: true }))
      this.#changes++
      this.#adapters.set(name, { handle, paths: [...own.keys()], whole })
      for (const [path, module] of own)
        this.#place(path, before.get(path)!, modules.get(path)!).on.set(name, module)
      return handle
    } catch (error) {
      if (handle !== null) handle.setEnabled(false)
      putBack()
      await weights.restore({ kept: false })
      handle?.release()
      releaseOwn(own.values(), weights)
      throw error
    } finally {
      for (const { child, on } of this.#places.values()) child.replace(on)
      weights.release()
      this.#select(this.#active)
    }
  }

  /** Computes with one adapter from now on, or with the base alone. Not between a forward pass and its backward pass. */
  use(name: AdapterChoice): void {
    this.#select(name)
    this.#active = name
  }

  #select(name: AdapterChoice): void {
    const next = name === null ? null : this.#loaded(name)
    const { active } = this.#selection
    if (name === active) return
    const last = active === null ? null : this.#adapters.get(active)
    if (last?.whole.length) last.handle.setEnabled(false)
    if (next?.whole.length) next.handle.setEnabled(true)
    this.#selection.active = name
  }

  rows(pass: SequenceAdapters): RowGroups {
    return this.rowsOf(groupsOf(pass), pass.outputRows)
  }

  /** `rows` for groups of any rows: every row of the pass is in one of them. */
  rowsOf(groups: readonly RowGroup[], outputRows?: ArrayLike<number>): RowGroups {
    const adapters = new Set(groups.map(({ adapter }) => adapter))
    for (const name of adapters) if (name !== null && adapters.size > 1) this.#refuseMixed(name)
    const switches = [...this.#places.values()].map(({ on }) => on)
    return new RowGroups(this.#selection, this.#context.backend, groups, outputRows, switches)
  }

  within<T>(rows: AdapterRows, fn: () => T): T {
    const { uniform } = rows
    const { active } = this.#selection
    const exchanges = (name: AdapterChoice) => name !== null && this.#loaded(name).whole.length > 0
    if (
      uniform === undefined
        ? !exchanges(active)
        : uniform === active || !(exchanges(uniform) || exchanges(active))
    )
      return withPassState(rows, fn)
    // Parameters of the model differ: they have to be exchanged for the time of the pass.
    this.#select(uniform ?? null)
    try {
      return withPassState(rows, fn)
    } finally {
      this.#select(active)
    }
  }

  /** Takes an adapter off the model and frees it. */
  remove(name: string): void {
    const { handle, paths, whole } = this.#loaded(name)
    if (this.active === name) this.use(null)
    const weights = new BaseWeights(this.#model)
    const modules = paths.map((path) => this.#places.get(path)!.on.take(name)!)
    for (const [path, { child, module, on }] of this.#places)
      if (on.isEmpty) {
        child.replace(module)
        this.#places.delete(path)
      }
    handle.release()
    releaseOwn(modules, weights)
    weights.release()
    this.#adapters.delete(name)
    this.#changes++
    const others = new Set([...this.#adapters.values()].flatMap((one) => one.whole))
    const left = new Set(whole.filter((path) => !others.has(path)))
    for (const [path, parameter] of this.#model.namedParameters())
      if (left.has(path)) parameter.setTrainable(false)
  }

  /** Takes all of them off: the model is the base again. */
  release(): void {
    for (const name of this.names) this.remove(name)
  }

  #loaded(name: string): Loaded {
    const found = this.#adapters.get(name)
    if (found) return found
    const near = suggest(name, this.#adapters.keys())
    throw new IftError(
      'IFT_ADAPTER_NAME',
      `There is no adapter "${name}".`,
      [
        ...(near === null ? [] : [`Did you mean "${near}"?`]),
        `Loaded: ${this.names.join(', ') || 'none'}; ${baseName} is the model without one.`,
      ].join('\n'),
    )
  }

  #checkName(name: string): void {
    checkAdapterName(name)
    if (this.#adapters.has(name))
      throw new IftError(
        'IFT_ADAPTER_NAME',
        `There is an adapter "${name}" already.`,
        'Give it another name.',
      )
  }

  /** Throws for what cannot stand beside other adapters. */
  #refuse(
    name: string,
    source: AdapterSource,
    before: ReadonlyMap<string, Child>,
    own: ReadonlyMap<string, Module>,
    changed: readonly string[],
  ): void {
    if (changed.length)
      throw new IftError(
        'IFT_ADAPTERS_BASE',
        `${source.path}: adapter "${name}" belongs to other base weights than the model's: it changes ${some(changed)}.`,
        'Use it alone: --adapter DIR. Or save it so that it fits the original base.',
      )
    for (const path of own.keys())
      if (!before.has(path))
        throw new IftError(
          'IFT_ADAPTERS_BASE',
          `${source.path}: adapter "${name}" adds the module "${path}", which the base does not have.`,
          'Use it alone: --adapter DIR',
        )
  }

  #refuseMixed(name: string): void {
    const why = this.#unmixable(name)
    if (why === null) return
    throw new IftError(
      'IFT_ADAPTER_MIXED',
      `Adapter "${name}" ${why}, so a pass cannot have rows of it beside others.`,
      'Run its sequences in passes of their own.',
    )
  }

  /** Why an adapter has to be alone in a pass; null where it has not. */
  #unmixable(name: string): string | null {
    const { whole, paths } = this.#loaded(name)
    if (whole.length) return `has trained ${some(whole)} of the model itself`
    const path = paths.find((at) => !this.#places.get(at)!.on.sharesRows)
    return path === undefined ? null : `replaces "${path}", which is neither a linear layer nor an embedding`
  }

  #place(path: string, child: Child, module: Module): Place {
    let place = this.#places.get(path)
    if (!place) {
      // A module that stands in two places has one switch.
      const other = [...this.#places.values()].find((one) => one.module === module)
      const on = other?.on ?? new AdapterSwitch(path, module, this.#selection)
      this.#places.set(path, (place = { child, module, on }))
    }
    return place
  }

  #uninstall(): void {
    for (const { child, module } of this.#places.values()) child.replace(module)
  }
}

/** The outermost modules that are others than before, by path. */
function replacedIn(model: Module, before: ReadonlyMap<string, Module>): Map<string, Module> {
  const same = (path: string, module: Module) => before.get(path) === module
  const places = placesOf(model, same)
  return new Map(
    [...places]
      .filter(([path, { module }]) => !same(path, module))
      .map(([path, { module }]) => [path, module]),
  )
}

/** Frees what modules of an adapter hold besides weights of the base. */
function releaseOwn(modules: Iterable<Module>, weights: BaseWeights): void {
  for (const module of modules)
    for (const [, parameter] of module.namedParameters())
      if (weights.pathOf(parameter) === undefined) parameter.release()
}

const some = (paths: readonly string[]) =>
  paths.slice(0, 3).join(', ') + (paths.length > 3 ? ` and ${paths.length - 3} more` : '')
