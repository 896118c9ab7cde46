import { IftError } from '@ift/tensor'
import { suggest } from '../suggest.js'
import { packageFor, type CataloguePackage } from './catalogue.js'
import type { InstalledPackage } from './installed.js'
import { namesOf } from './manifest.js'
import { candidates, isSpecifier, type PluginKind } from './names.js'

/** What there is, where a name is looked for. */
export interface Known {
  readonly rootDir: string
  /** Names that are registered. */
  readonly used: readonly string[]
  readonly installed: readonly InstalledPackage[]
  readonly catalogue: readonly CataloguePackage[]
  /** Packages that are named after what was looked for and provide something else. */
  readonly without?: readonly string[]
}

/** What kinds are called in messages. */
const labels: Partial<Record<PluginKind, string>> = { peft: 'method', backend: 'device', export: 'format' }
export const labelOf = (kind: PluginKind): string => labels[kind] ?? kind

/** `name (package)` where the package is not the one that is named after it. */
const listed = (kind: PluginKind, name: string, packageName: string) =>
  candidates(kind, name)[0] === packageName ? name : `${name} (${packageName})`

/** Names of a kind that are there, and those of this project that can be installed, as messages list them. */
export function namesThere(kind: PluginKind, { used, installed, catalogue }: Omit<Known, 'rootDir'>) {
  const there = new Map(used.map((name) => [name, name]))
  const absent = new Map<string, string>()
  if (kind === 'plugin')
    for (const { package: of } of installed) {
      const name = of.replace(/^ift-plugin-/, '')
      there.set(name, listed(kind, name, of))
    }
  else {
    for (const { package: of, provides } of installed)
      for (const name of namesOf(provides, kind))
        if (!there.has(name)) there.set(name, listed(kind, name, of))
    for (const { package: of, provides } of catalogue)
      for (const name of namesOf(provides, kind))
        if (!there.has(name)) absent.set(name, listed(kind, name, of))
  }
  return { there, absent }
}

/** Names that a message lists; of more it says where they are listed. */
const mostNames = 40

const list = (what: string, kind: PluginKind, names: ReadonlyMap<string, string>) => {
  if (names.size === 0) return []
  if (kind === 'dataset' && names.size > mostNames) return [`${what}: ${names.size}, npx ift data list`]
  return [`${what}: ${[...names.values()].sort().join(', ')}`]
}

/** The error for a name that nothing installed provides: what to install or what was meant, and what there is. */
export function notFound(kind: PluginKind, name: string, known: Known): IftError {
  const { there, absent } = namesThere(kind, known)
  const label = labelOf(kind)
  const tried = candidates(kind, name)
  const ours = packageFor(kind, name, known.catalogue)
  const near = isSpecifier(name) ? null : suggest(name, [...there.keys(), ...absent.keys()])
  const next = ours
    ? [`Install it next to your config:\n\n    npm install ${ours}\n`]
    : near !== null
      ? [
          `Did you mean "${near}"?${there.has(near) ? '' : ` npm install ${packageFor(kind, near, known.catalogue) ?? near}`}`,
        ]
      : []
  const problems = known.installed.flatMap(({ problem }) => (problem ? [problem.message] : []))
  return new IftError(
    'IFT_PLUGIN_NOT_FOUND',
    kind === 'verb'
      ? `There is no verb "${name}".`
      : `No ${kind === 'plugin' ? '' : `${label} `}plugin provides "${name}".`,
    [
      ...next,
      ...list(`Installed ${label}s`, kind, there),
      ...list('To install', kind, absent),
      ...(tried.length ? [`Looked for: ${tried.join(', ')}`] : []),
      `From: ${known.rootDir}`,
      ...(known.without ?? []).map((other) => `${other} is installed and provides no ${label} "${name}".`),
      ...(problems.length ? [`Passed over:\n${problems.join('\n')}`] : []),
    ].join('\n'),
  )
}
