import { existsSync, readdirSync, realpathSync } from 'node:fs'
import { join, sep } from 'node:path'
import { IftError } from '@ift/core'

/** Adapters at a time at most: all of them are held in memory. */
export const mostAdapters = 256

/** What a folder of adapters holds. */
export interface AdapterFolder {
  /** Folders of adapters by name, sorted by it. */
  readonly adapters: ReadonlyMap<string, string>
  /** Why others are left out, a line each. */
  readonly notes: readonly string[]
}

/** The folder of an adapter in `dir`: itself, or `adapter` in it, as runs have it; null for another folder. */
const adapterIn = (dir: string): string | null =>
  [dir, join(dir, 'adapter')].find((one) => existsSync(join(one, 'adapter_config.json'))) ?? null

const isName = (name: string): boolean =>
  /^[\w.-]{1,64}$/.test(name) && !/^\.{1,2}$/.test(name) && name !== 'base'

/** The adapter in the folder `name` of `root`, a real path: its folder, why it is left out, or null where there is none. */
function placeOf(
  root: string,
  name: string,
): { readonly path: string } | { readonly problem: string } | null {
  const found = adapterIn(join(root, name))
  if (found === null) return null
  const path = realpathSync(found)
  // With the separator: a folder beside this one may begin with its name.
  if (!path.startsWith(root.endsWith(sep) ? root : root + sep)) return { problem: `it leads out of ${root}` }
  return isName(name) ? { path } : { problem: 'it cannot be the name of an adapter' }
}

/** The folder of one adapter of a folder by its name; null where it is none of them. */
export function adapterNamed(dir: string, name: string): string | null {
  if (!isName(name)) return null
  try {
    const place = placeOf(realpathSync(dir), name)
    return place !== null && 'path' in place ? place.path : null
  } catch {
    // It went away.
    return null
  }
}

/**
 * The adapters that lie in a folder, each by the name of its own folder: `DIR/NAME` or `DIR/NAME/adapter`. What a link leads out of the
 * folder for is left out, and so are names that no adapter can have. IFT_ADAPTER_NOT_FOUND where there are none, or more than `most`.
 */
export function adapterFolder(dir: string, most = mostAdapters): AdapterFolder {
  const adapters = new Map<string, string>()
  const notes: string[] = []
  let root: string
  let names: string[]
  try {
    root = realpathSync(dir)
    names = readdirSync(root).sort()
  } catch (cause) {
    throw new IftError('IFT_ADAPTER_NOT_FOUND', `The folder of adapters cannot be read: ${dir}`, undefined, {
      cause,
    })
  }
  for (const name of names) {
    const place = placeOf(root, name)
    if (place === null) continue
    if ('path' in place) adapters.set(name, place.path)
    else notes.push(`${JSON.stringify(name)} is left out: ${place.problem}.`)
  }
  if (adapters.size === 0)
    throw new IftError(
      'IFT_ADAPTER_NOT_FOUND',
      `${dir} expected folders with adapters, found none.${notes.length > 0 ? ` ${notes.join(' ')}` : ''}`,
      'They lie in DIR/NAME or DIR/NAME/adapter, as runs write them.',
    )
  if (adapters.size > most)
    throw new IftError(
      'IFT_ADAPTER_NOT_FOUND',
      `${dir} expected at most ${most} adapters, found ${adapters.size}.`,
      'Name those that are needed: --adapter NAME=DIR',
    )
  return { adapters, notes }
}

/** Words of `--adapter` that mean the adapters of a config. */
export const adapterWords = (given: unknown): readonly string[] =>
  given === undefined
    ? []
    : typeof given === 'string'
      ? [given]
      : Array.isArray(given)
        ? (given as readonly string[])
        : Object.entries(given as Readonly<Record<string, string>>).map(([name, spec]) => `${name}=${spec}`)
