import { IftError } from '@ift/tensor'
import type {
  BackendDefinition,
  DatasetDefinition,
  ModelDefinition,
  PeftMethod,
  PromptTemplate,
  TokenizerDefinition,
} from '../contract/index.js'
import type { IftPlugin, PluginHost } from './define.js'
import { installedPlugins, type InstalledPlugin } from './discover.js'
import { createSessionHooks, type Registry, type SessionHooks } from './hooks.js'
import { candidates, checkPlugin, importPlugin, locate, notFound, type PluginKind } from './resolve.js'

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
  readonly #applied = new Map<string, IftPlugin>()

  /**
   * `rootDir` is the folder of the config; packages that cannot be found from there are looked for from `searchFrom`.
   */
  constructor(
    readonly rootDir: string,
    readonly searchFrom: readonly string[] = [],
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
    plugin.apply(this)
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

  template(name: string): Promise<PromptTemplate> {
    return this.#lookup('template', name, this.hooks.template)
  }

  tokenizer(name: string): Promise<TokenizerDefinition> {
    return this.#lookup('tokenizer', name, this.hooks.tokenizer)
  }

  backend(name: string): Promise<BackendDefinition> {
    return this.#lookup('kernels', name, this.hooks.backend)
  }

  /** Loads a further plugin that the config names, and uses it. */
  async load(name: string): Promise<IftPlugin> {
    for (const specifier of candidates('plugin', name)) {
      const file = this.#locate(specifier)
      if (file !== null) {
        const plugin = await importPlugin(file, name)
        this.use(plugin)
        return plugin
      }
    }
    throw notFound('plugin', name, this.rootDir, this.plugins)
  }

  /** Plugin packages that names in the config can lead to, without loading them. */
  packages(): InstalledPlugin[] {
    return installedPlugins([this.rootDir, ...this.searchFrom])
  }

  /** Whether a package that provides the name is installed, without loading it. */
  installed(kind: PluginKind, name: string): boolean {
    return candidates(kind, name).some((specifier) => this.#locate(specifier) !== null)
  }

  async #lookup<D>(kind: PluginKind, name: string, registry: Registry<D>): Promise<D> {
    const known = registry.find(name)
    if (known !== undefined) return known
    for (const specifier of candidates(kind, name)) {
      const file = this.#locate(specifier)
      if (file === null) continue
      this.use(await importPlugin(file, name))
      const found = registry.find(name) ?? this.#sole(name, registry)
      if (found !== undefined) return found
    }
    throw notFound(kind, name, this.rootDir, registry.names())
  }

  /** A package or file named by path registers under a name of its own. */
  #sole<D>(specifier: string, registry: Registry<D>): D | undefined {
    if (!/^[.@/]/.test(specifier)) return undefined
    const newest = registry.added.at(-1)
    return newest === undefined ? undefined : registry.find(newest)
  }
}
