import type { Registry } from './hooks.js'
import type { InstalledPackage } from './installed.js'
import { namesOf } from './manifest.js'
import type { PluginSession } from './plugin-session.js'

/** What is looked for by a fact that a config does not name: the architecture of a checkpoint, the kind of an adapter. */
export interface Wanted<D> {
  readonly kind: 'model' | 'peft'
  readonly registry: Registry<D>
  readonly fits: (definition: D) => boolean
  /** Whether a package says that it provides such a one. */
  readonly says: (found: InstalledPackage) => boolean
}

export interface Searched<D> {
  readonly found: D | undefined
  /** Packages that were passed over, and why. */
  readonly failures: readonly Error[]
}

/** Definitions that are registered, oldest first. */
export const registered = <D>(registry: Registry<D>): D[] =>
  registry.added.map((name) => registry.find(name)).filter((definition) => definition !== undefined)

/**
 * The first definition that fits: one in use, or one of an installed package that says so; packages that do not describe
 * themselves are loaded to see, last. A package that cannot be loaded is passed over, since nobody named it; throws its error
 * where it says that it has what is looked for and no other package does.
 */
export async function searchPlugins<D>(session: PluginSession, wanted: Wanted<D>): Promise<Searched<D>> {
  const inUse = () => registered(wanted.registry).find(wanted.fits)
  const failures: Error[] = []
  let found = inUse()
  if (found) return { found, failures }
  const packages = session.packages()
  const said = packages.filter(wanted.says)
  const silent = packages.filter((one) => !one.described && namesOf(one.provides, wanted.kind).length > 0)
  let needed: Error | undefined
  for (const one of [...said, ...silent]) {
    try {
      await session.usePackage(one)
    } catch (thrown) {
      const error = thrown instanceof Error ? thrown : new Error(String(thrown))
      failures.push(error)
      if (said.includes(one)) needed ??= error
    }
    found = inUse()
    if (found) return { found, failures }
  }
  if (needed) throw needed
  return { found, failures }
}
