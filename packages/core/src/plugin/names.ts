import { isAbsolute } from 'node:path'
import type { Noun } from './manifest.js'

/** What a name resolves to a package for: a noun, or a plugin as a whole. */
export type PluginKind = Noun | 'plugin'

/** Nouns after which packages are named, with the word in the packages' names. */
export const infixes: readonly (readonly [Noun, string])[] = [
  ['model', 'model'],
  ['peft', 'peft'],
  ['dataset', 'dataset'],
  ['optimizer', 'optimizer'],
  ['template', 'template'],
  ['tokenizer', 'tokenizer'],
  ['constraint', 'constraint'],
  ['export', 'export'],
  ['task', 'task'],
  ['backend', 'kernels'],
]

/** Whether a name is a file or a package, which then registers a name of its own. */
export const isSpecifier = (name: string): boolean => /^([.@]|~[/\\])/.test(name) || isAbsolute(name)

/** Package names tried, in order, for a name in the config. */
export function candidates(kind: PluginKind, name: string): string[] {
  if (/^(\.{1,2}|~)[/\\]/.test(name) || isAbsolute(name)) return [name]
  const infix = kind === 'plugin' ? '' : infixes.find(([noun]) => noun === kind)?.[1]
  // Verbs lie in packages of any name, which say so themselves.
  if (infix === undefined) return []
  const prefix = infix && `${infix}-`
  if (name.startsWith('@')) {
    const [scope, rest = ''] = name.split('/', 2)
    return [`${scope!}/ift-plugin-${prefix}${rest}`, name]
  }
  if (name.startsWith('ift-plugin-')) return [name]
  return kind === 'plugin' ? [`ift-plugin-${name}`] : [`@ift/${prefix}${name}`, `ift-plugin-${prefix}${name}`]
}
