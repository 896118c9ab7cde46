import { existsSync, readdirSync, readFileSync } from 'node:fs'
import { dirname, join } from 'node:path'
import type { PluginKind } from './resolve.js'

/** A package that a name in a config leads to. */
export interface InstalledPlugin {
  readonly kind: PluginKind
  /** As a config writes it. */
  readonly name: string
  readonly package: string
  readonly version: string
}

const kinds = /^(model|peft|dataset|template|tokenizer|kernels)-(.+)$/

/** What a package's name says it provides: the inverse of `candidates`. Null for other packages. */
export function provides(packageName: string): { readonly kind: PluginKind; readonly name: string } | null {
  const [, scope, base] = /^(?:(@[^/]+)\/)?(.+)$/.exec(packageName)!
  if (scope === '@ift') {
    const own = kinds.exec(base!)
    return own ? { kind: own[1] as PluginKind, name: own[2]! } : null
  }
  const rest = /^ift-plugin-(.+)$/.exec(base!)?.[1]
  if (rest === undefined) return null
  const of = kinds.exec(rest)
  const prefix = scope === undefined ? '' : `${scope}/`
  return { kind: (of?.[1] ?? 'plugin') as PluginKind, name: prefix + (of?.[2] ?? rest) }
}

const entries = (dir: string): string[] => (existsSync(dir) ? readdirSync(dir) : [])

/** Plugin packages in the node_modules folders that a folder sees, the nearest of each; nothing is loaded. */
export function installedPlugins(dirs: readonly string[]): InstalledPlugin[] {
  const found = new Map<string, InstalledPlugin>()
  for (const start of dirs)
    for (let dir = start, parent = ''; dir !== parent; parent = dir, dir = dirname(dir)) {
      const modules = join(dir, 'node_modules')
      for (const entry of entries(modules)) {
        const names = entry.startsWith('@')
          ? entries(join(modules, entry)).map((n) => `${entry}/${n}`)
          : [entry]
        for (const name of names) {
          const what = provides(name)
          const manifest = join(modules, name, 'package.json')
          if (what === null || found.has(name) || !existsSync(manifest)) continue
          const { version = '' } = JSON.parse(readFileSync(manifest, 'utf8')) as { version?: string }
          found.set(name, { ...what, package: name, version })
        }
      }
    }
  return [...found.values()].sort((a, b) => (a.package < b.package ? -1 : 1))
}
