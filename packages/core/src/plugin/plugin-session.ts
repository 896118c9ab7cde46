import { IftError } from '@ift/tensor'
import type {
  BackendDefinition,
  ConstraintDefinition,
  DatasetDefinition,
  ExportDefinition,
  ModelDefinition,
  OptimizerDefinition,
  PeftMethod,
  PromptTemplate,
  TaskDefinition,
  TokenizerDefinition,
  Verb,
} from '../contract/index.js'
import type { IftPlugin, PluginHost } from './define.js'
import { catalogue as knownPackages, type CataloguePackage } from './catalogue.js'
import { createSessionHooks, type Registry, type SessionHooks } from './hooks.js'
import { installedPackages, type InstalledPackage } from './installed.js'
import { namesOf, nouns, type Noun } from './manifest.js'
import { candidates, isSpecifier, type PluginKind } from './names.js'
import { notFound } from './not-found.js'
import {
  checkPlugin,
  importPlugin,
  isPath,
  locate,
  noteOrigin,
  originOf,
  type PluginOrigin,
} from './resolve.js'

const coreMark = Symbol.for('@ift/core')

/** Two copies of core would keep two sets of hooks and of classes; the second one to start refuses. */
function refuseSecondCore(): void {
  const global = globalThis as { [coreMark]?: string }
  const first = (global[coreMark] ??= import.meta.url)
  if (first !== import.meta.url)
    throw new IftError(
      'IFT_CORE_DUPLICATE',
      `Two copies of @ift/core are loaded:\n  ${first}\n  ${import.meta.url}`,
      'Find out who brings the second one: npm ls @ift/core (or pnpm why @ift/core)',
    )
}

/** Plugins in use and the definitions they registered; names that nobody registered are resolved from `rootDir`. */
export class PluginSession implements PluginHost {
  readonly hooks: SessionHooks = createSessionHooks()
  /** What names in the config stand for, told with the data. */
  configNotes: readonly string[] = []
  readonly #applied = new Map<string, IftPlugin>()
  #packages: readonly InstalledPackage[] | undefined
  /** Names that a plugin registered, by noun. */
  readonly #registered = new Map<IftPlugin, ReadonlyMap<Noun, readonly string[]>>()

  /**
   * `rootDir` is the folder of the config; packages that cannot be found from there are looked for from `searchFrom`.
   */
  constructor(
    readonly rootDir: string,
    readonly searchFrom: readonly string[] = [],
    /** Packages of this project that could be installed. */
    readonly catalogue: () => readonly CataloguePackage[] = knownPackages,
  ) {
    refuseSecondCore()
  }

  /** Applies a plugin once; a second one of the same name is ignored when it is the same object, else refused. */
  use(plugin: IftPlugin): this {
    checkPlugin(plugin)
    const present = this.#applied.get(plugin.name)
    if (present === plugin) return this
    if (present)
      throw new IftError(
        'IFT_PLUGIN_DUPLICATE',
        `Two plugins are named "${plugin.name}".`,
        'Give one of them another name, or use only one.',
      )
    this.#applied.set(plugin.name, plugin)
    const before = nouns.map((noun) => this.hooks[noun].added.length)
    try {
      plugin.apply(this)
      const added = nouns.map((noun, i) => [noun, this.hooks[noun].added.slice(before[i])] as const)
      this.#registered.set(plugin, new Map(added))
    } catch (error) {
      this.#applied.delete(plugin.name)
      throw error
    }
    return this
  }

  /** Names of the plugins in use, in order. */
  get plugins(): readonly string[] {
    return [...this.#applied.keys()]
  }

  /** File of a package as the config's folder, or a further one, sees it. */
  #locate(specifier: string): string | null {
    for (const dir of [this.rootDir, ...this.searchFrom]) {
      const file = locate(specifier, dir)
      if (file !== null) return file
    }
    return null
  }

  model(name: string): Promise<ModelDefinition> {
    return this.#lookup('model', name, this.hooks.model)
  }

  peft(name: string): Promise<PeftMethod> {
    return this.#lookup('peft', name, this.hooks.peft)
  }

  dataset(name: string): Promise<DatasetDefinition> {
    return this.#lookup('dataset', name, this.hooks.dataset)
  }

  optimizer(name: string): Promise<OptimizerDefinition> {
    return this.#lookup('optimizer', name, this.hooks.optimizer)
  }

  template(name: string): Promise<PromptTemplate> {
    return this.#lookup('template', name, this.hooks.template)
  }

  tokenizer(name: string): Promise<TokenizerDefinition> {
    return this.#lookup('tokenizer', name, this.hooks.tokenizer)
  }

  constraint(name: string): Promise<ConstraintDefinition> {
    return this.#lookup('constraint', name, this.hooks.constraint)
  }

  export(name: string): Promise<ExportDefinition> {
    return this.#lookup('export', name, this.hooks.export)
  }

  task(name: string): Promise<TaskDefinition> {
    return this.#lookup('task', name, this.hooks.task)
  }

  backend(name: string): Promise<BackendDefinition> {
    return this.#lookup('backend', name, this.hooks.backend)
  }

  verb(name: string): Promise<Verb> {
    return this.#lookup('verb', name, this.hooks.verb)
  }

  /** Loads a further plugin that the config names, and uses it. */
  async load(name: string): Promise<IftPlugin> {
    const [specifier] = this.#specifiers('plugin', name)
    if (specifier === undefined) throw this.notFound('plugin', name, [])
    return this.#import(specifier, name)
  }

  /** Loads a package that `packages` found, and uses it. */
  async usePackage({ package: name }: InstalledPackage): Promise<void> {
    await this.#import(name, name)
  }

  /** Plugin packages that names in the config can lead to, without loading them. */
  packages(): readonly InstalledPackage[] {
    return (this.#packages ??= installedPackages([this.rootDir, ...this.searchFrom]))
  }

  /** Names of a noun that are registered or that an installed package provides, without loading it. */
  names(kind: Noun): string[] {
    const registry: { names(): string[] } = this.hooks[kind]
    const installed = this.packages().flatMap(({ provides }) => namesOf(provides, kind))
    return [...new Set([...registry.names(), ...installed])].sort()
  }

  /** Whether a name is registered or an installed package provides it, without loading it. */
  provides(kind: Noun, name: string): boolean {
    return this.hooks[kind].find(name) !== undefined || !this.#specifiers(kind, name).next().done
  }

  /** The installed package whose plugin registered a name; null where it is none. */
  originOf(kind: Noun, name: string): PluginOrigin | null {
    for (const [plugin, registered] of this.#registered)
      if (registered.get(kind)?.includes(name)) return originOf(plugin)
    return null
  }

  /** The error for a name that nobody provides; `used` names what is there without a package. */
  notFound(
    kind: PluginKind,
    name: string,
    used: readonly string[],
    without: readonly string[] = [],
  ): IftError {
    return notFound(kind, name, {
      rootDir: this.rootDir,
      used,
      installed: this.packages(),
      catalogue: this.catalogue(),
      without,
    })
  }

  /** Packages and files that a name may stand for, those that are there: by their names, then by what they say of themselves. */
  *#specifiers(kind: PluginKind, name: string): Generator<string, void> {
    const tried = candidates(kind, name)
    for (const specifier of tried) if (this.#locate(specifier) !== null) yield specifier
    for (const { package: of, provides, described } of this.packages()) {
      const says = kind === 'plugin' ? described && of === name : namesOf(provides, kind).includes(name)
      if (says && !tried.includes(of)) yield of
    }
  }

  async #import(specifier: string, what: string): Promise<IftPlugin> {
    const file = this.#locate(specifier)
    if (file === null)
      throw new IftError(
        'IFT_PLUGIN_LOAD',
        `${specifier} is installed, and its package.json names no file that is there.`,
        'Build it, or look at `exports` and `main`.',
      )
    const plugin = await importPlugin(file, what)
    // A file alone says nothing of what it imports.
    if (!isPath(specifier)) noteOrigin(plugin, file)
    this.use(plugin)
    return plugin
  }

  async #lookup<D>(kind: Noun, name: string, registry: Registry<D>): Promise<D> {
    const known = registry.find(name)
    if (known !== undefined) return known
    const without: string[] = []
    for (const specifier of this.#specifiers(kind, name)) {
      const plugin = await this.#import(specifier, name)
      // A package or file named by path registers under a name of its own; the last one stands for it.
      const own = isSpecifier(name) ? this.#registered.get(plugin)?.get(kind)?.at(-1) : undefined
      const found = registry.find(own ?? name)
      if (found !== undefined) return found
      without.push(specifier)
    }
    throw this.notFound(kind, name, registry.names(), without)
  }
}
