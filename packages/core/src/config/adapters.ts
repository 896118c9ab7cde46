import { IftError } from '@ift/tensor'
import type { ResolvedConfig } from './schema.js'

/** The name under which the command line and records ask for no adapter. */
export const baseName = 'base'

/** IFT_ADAPTER_NAME for a name that a line of text could not tell from other words. */
export function checkAdapterName(name: string): void {
  if (/^[\w.-]{1,64}$/.test(name) && name !== baseName) return
  throw new IftError(
    'IFT_ADAPTER_NAME',
    name === baseName
      ? `"${baseName}" is the model without an adapter, and no name of one.`
      : `"${name}" cannot be the name of an adapter.`,
    'Letters, digits, and . _ -: at most 64. --adapter NAME=DIR',
  )
}

/** `NAME=DIR`; a path of which this is not meant begins with `./`. */
const named = /^([\w.-]+)=(.+)$/s

/** What the words of `--adapter` mean: one adapter as it is written, or several by name. */
export const adapterOfWords = (words: readonly string[]): string | readonly string[] =>
  words.length === 1 && !named.test(words[0]!) ? words[0]! : words

/** An adapter without a name is called by its folder; `adapter`, which runs call it, by the folder around that. */
function nameOf(spec: string): string {
  const parts = spec.replace(/@[^@/\\]*$/, '').split(/[/\\]/)
  const own = parts.filter((part) => part !== '' && part !== '.' && part !== '..')
  return (own.at(-1) === 'adapter' ? own.at(-2) : own.at(-1)) ?? ''
}

/** Several adapters of a config by name, folder or hub id; null where it names one, or none. IFT_CONFIG_INVALID for a name twice. */
export function adaptersOf({ adapter }: Pick<ResolvedConfig, 'adapter'>): ReadonlyMap<string, string> | null {
  if (adapter === undefined || typeof adapter === 'string') return null
  const entries = Array.isArray(adapter)
    ? (adapter as readonly string[]).map((word): [string, string] => {
        const [, name, spec] = named.exec(word) ?? []
        return spec === undefined ? [nameOf(word), word] : [name!, spec]
      })
    : Object.entries(adapter as Readonly<Record<string, string>>)
  const adapters = new Map<string, string>()
  for (const [name, spec] of entries) {
    checkAdapterName(name)
    if (adapters.has(name))
      throw new IftError(
        'IFT_CONFIG_INVALID',
        `adapter names "${name}" twice: ${adapters.get(name)} and ${spec}.`,
        `Give names: --adapter NAME=${spec}`,
      )
    adapters.set(name, spec)
  }
  return adapters
}
