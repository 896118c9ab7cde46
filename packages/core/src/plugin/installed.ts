import { existsSync, readdirSync } from 'node:fs'
import { dirname, join } from 'node:path'
import type { IftError } from '@ift/tensor'
import {
  nothing,
  providesSchema,
  readManifest,
  readPackageJson,
  type Noun,
  type Provides,
} from './manifest.js'
import { infixes } from './names.js'

/** A plugin package that is installed; it is not loaded. */
export interface InstalledPackage {
  readonly package: string
  readonly version: string
  /** What its package.json says that it provides, or its name where it says nothing. */
  readonly provides: Provides
  /** Whether the package describes itself. */
  readonly described: boolean
  /** What is wrong with its package.json: IFT_PLUGIN_MANIFEST. */
  readonly problem: IftError | null
}

const named = new RegExp(`^(${infixes.map(([, infix]) => infix).join('|')})-(.+)$`)

/** What a package's name says that it provides: the inverse of `candidates`. Null for other packages. */
export function providedByName(packageName: string): { readonly kind: Noun; readonly name: string } | null {
  const [, scope, base] = /^(?:(@[^/]+)\/)?(.+)$/.exec(packageName)!
  const own = scope === '@ift'
  const rest = own ? base : /^ift-plugin-(.+)$/.exec(base!)?.[1]
  const found = rest === undefined ? null : named.exec(rest)
  if (!found) return null
  const kind = infixes.find(([, infix]) => infix === found[1])![0]
  return { kind, name: own || scope === undefined ? found[2]! : `${scope}/${found[2]!}` }
}

const isPluginName = (name: string) => /^(@ift\/|(@[^/]+\/)?ift-plugin-)/.test(name)

const entries = (dir: string): string[] => {
  try {
    return readdirSync(dir)
  } catch {
    return []
  }
}

/** Packages of a node_modules folder whose names are those of plugins. */
const byName = (modules: string): string[] =>
  entries(modules)
    .flatMap((entry) =>
      entry.startsWith('@') ? entries(join(modules, entry)).map((name) => `${entry}/${name}`) : [entry],
    )
    .filter(isPluginName)

/** Packages that the package.json of a folder depends on, whatever their names. */
function dependencies(dir: string): string[] {
  const path = join(dir, 'package.json')
  if (!existsSync(path)) return []
  try {
    const json = readPackageJson(path)
    return ['dependencies', 'optionalDependencies', 'peerDependencies', 'devDependencies'].flatMap((field) =>
      Object.keys(Object(json[field]) as object),
    )
  } catch {
    // Somebody else's file: whoever needs it says what is wrong with it.
    return []
  }
}

/** A package of a node_modules folder; null when it is none of ift's. */
function look(modules: string, name: string): InstalledPackage | null {
  const path = join(modules, name, 'package.json')
  if (!existsSync(path)) return null
  const isNamed = isPluginName(name)
  try {
    const { version, provides } = readManifest(path)
    const fromName = providedByName(name)
    if (provides === null && fromName === null && (!isNamed || name.startsWith('@ift/'))) return null
    return {
      package: name,
      version,
      provides: provides ?? (fromName ? only(fromName.kind, fromName.name) : nothing),
      described: provides !== null,
      problem: null,
    }
  } catch (error) {
    // A file that cannot be read, of a package that nothing says is ours.
    if (!isNamed && (error as IftError).cause !== undefined) return null
    return { package: name, version: '', provides: nothing, described: true, problem: error as IftError }
  }
}

const only = (kind: Noun, name: string): Provides =>
  providesSchema.parse({ [kind]: Array.isArray(nothing[kind]) ? [name] : { [name]: {} } })

const rank = ({ package: name }: InstalledPackage) => `${name.startsWith('@ift/') ? 0 : 1}${name}`

/**
 * Plugin packages that folders see, the nearest of each name: those named as plugins in the node_modules folders from each
 * folder upwards, and those that the package.json files on the way depend on. This project's come first. Nothing is loaded.
 */
export function installedPackages(dirs: readonly string[]): InstalledPackage[] {
  const found = new Map<string, InstalledPackage | null>()
  const seen = new Set<string>()
  for (const start of dirs) {
    const wanted = new Set<string>()
    for (let dir = start, parent = ''; dir !== parent; parent = dir, dir = dirname(dir)) {
      for (const name of dependencies(dir)) wanted.add(name)
      const modules = join(dir, 'node_modules')
      if (!existsSync(modules)) continue
      const names = new Set(wanted)
      if (!seen.has(modules)) for (const name of byName(modules)) names.add(name)
      seen.add(modules)
      for (const name of names) if (!found.get(name)) found.set(name, look(modules, name))
    }
  }
  return [...found.values()].filter((one) => one !== null).sort((a, b) => (rank(a) < rank(b) ? -1 : 1))
}
