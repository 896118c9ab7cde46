import { optionRows } from '@ift/core'
import type { CommandReply } from './types.js'

type Fields = Readonly<Record<string, unknown>>

const isObject = (value: unknown): value is Fields =>
  typeof value === 'object' && value !== null && !Array.isArray(value)

/** A word as a POSIX shell takes it. */
const quoted = (word: string): string =>
  /^[\w@%+=:,./-]+$/.test(word) ? word : `'${word.replaceAll("'", `'\\''`)}'`

const wordOf = (value: unknown): string => (typeof value === 'string' ? value : JSON.stringify(value))

let known: ReadonlySet<string> | undefined
/** Objects whose fields have flags of their own; any other is one value. */
const sections = (): ReadonlySet<string> =>
  (known ??= new Set([
    'peft',
    'train.optimizer',
    ...optionRows().flatMap(({ path }) =>
      path.split('.').flatMap((_, i, keys) => (i === 0 ? [] : [keys.slice(0, i).join('.')])),
    ),
  ]))

/** A flag with its words. One that looks like a flag itself stands behind an equals sign. */
function flagOf(path: string, value: unknown): string {
  const words = Array.isArray(value) && value.length > 0 ? value.map(wordOf) : [wordOf(value)]
  if (!words.some((word) => word.startsWith('-'))) return `--${path} ${words.map(quoted).join(' ')}`
  return `--${path}=${quoted(Array.isArray(value) ? JSON.stringify(value) : words[0]!)}`
}

/** Flags of a config, in its order: what is nested has its path. */
function flagsOf(config: Fields, prefix = ''): string[] {
  return Object.entries(config).flatMap(([key, value]) => {
    const path = prefix === '' ? key : `${prefix}.${key}`
    if (value === undefined || value === null || path === '$schema') return []
    // Adapters are a map of the user's names.
    if (path === 'adapter' && isObject(value))
      return Object.entries(value).map(([name, folder]) => `--adapter ${quoted(`${name}=${wordOf(folder)}`)}`)
    return isObject(value) && sections().has(path) ? flagsOf(value, path) : [flagOf(path, value)]
  })
}

/** The command line and the file of a config. */
export const commandOf = (config: Fields, more: Fields = {}): CommandReply => ({
  lines: ['npx ift train', ...flagsOf({ ...config, ...more }).map((flag) => `  ${flag}`)],
  file: `${JSON.stringify(config, null, 2)}\n`,
})
