import { join } from 'node:path'
import { documentOf, fields, shortName, text } from './run-documents.js'
import type { RunPlace } from './run-folders.js'
import type { DifferenceReply } from './types.js'

type Fields = Readonly<Record<string, unknown>>

/** Where a run is kept says nothing of what it is. */
const ofNoInterest = new Set(['output', '$schema', 'plugins'])

function flatten(value: unknown, path: string, into: Map<string, unknown>): void {
  if (ofNoInterest.has(path)) return
  if (typeof value === 'object' && value !== null && !Array.isArray(value) && Object.keys(value).length > 0)
    for (const [key, child] of Object.entries(value))
      flatten(child, path === '' ? key : `${path}.${key}`, into)
  else if (value !== undefined) into.set(path, value)
}

/** Inputs of a run by the hash of their contents, with the name that its config has for them. */
function filesOf(
  manifest: Fields,
): ReadonlyMap<string, { readonly name: string | null; readonly hash: string | null }> {
  const config = fields(manifest['config'])
  const identity = fields(manifest['identity'])
  const named = (path: string) => {
    const name = text(config[path])
    return name === null ? null : shortName(name)
  }
  const found = new Map<string, { readonly name: string | null; readonly hash: string | null }>()
  for (const what of ['weights', 'adapter', 'tokenizer', 'template'])
    if (text(identity[what]) !== null || named(what) !== null)
      found.set(what, {
        name: named(what) ?? (what === 'tokenizer' ? named('weights') : null),
        hash: text(identity[what]),
      })
  for (const [name, hash] of Object.entries(fields(manifest['sources'])))
    found.set(`data ${shortName(name)}`, { name: shortName(name), hash: text(hash) })
  return found
}

/** What differs between the configs and the inputs of runs; the first is the reference. */
export function differenceOf(places: readonly RunPlace[]): DifferenceReply {
  const manifests = places.map(({ dir }) => fields(documentOf(join(dir, 'manifest.json'))))
  const flat = manifests.map((manifest) => {
    const options = new Map<string, unknown>()
    flatten(fields(manifest['config']), '', options)
    return options
  })
  const paths = [...new Set(flat.flatMap((options) => [...options.keys()]))]
  const rows = paths.map((path) => ({ path, values: flat.map((options) => options.get(path) ?? null) }))
  const differs = ({ values }: { readonly values: readonly unknown[] }) =>
    values.some((value) => JSON.stringify(value) !== JSON.stringify(values[0]))
  const files = manifests.map(filesOf)
  const whats = [...new Set(files.flatMap((of) => [...of.keys()]))]
  return {
    runs: places.map(({ id }) => id),
    options: paths.length,
    differences: rows.filter(differs),
    same: rows.filter((row) => !differs(row)).map(({ path, values }) => ({ path, value: values[0] })),
    files: whats.map((what) => {
      const [names, hashes] = [
        files.map((of) => of.get(what)?.name ?? null),
        files.map((of) => of.get(what)?.hash ?? null),
      ]
      const isSame = (values: readonly (string | null)[]) => values.every((value) => value === values[0])
      return { what, names, hashes, sameName: isSame(names) && !isSame(hashes) }
    }),
  }
}
