import { realpathSync } from 'node:fs'
import { adaptersOf, localPath, type Ift } from '@ift/core'
import type { Serving } from '../serving.js'

const realPath = (path: string): string | null => {
  try {
    return realpathSync(path)
  } catch {
    return null
  }
}

/** The name by which /v1 answers with the adapter of a folder now; null where it does not. */
export type ServedAs = (folder: string) => string | null

/** Names of the adapters that a server has open, by their folders. One that the config does not name is answered with under the name of its base. */
export function servedAdapters(ift: Ift, serving: () => Serving | null): ServedAs {
  return (folder) => {
    const open = serving()
    const wanted = realPath(folder)
    if (open === null || wanted === null) return null
    const { models, open: model, adapters } = open
    const loaded = adapters?.nameOf(wanted) ?? null
    if (loaded !== null) return loaded
    const lies = (spec: string) => realPath(localPath(ift.rootDir, spec)) === wanted
    for (const [name, spec] of adaptersOf(ift.config) ?? [])
      if (lies(spec) && models.list().some(({ id }) => id === name)) return name
    return model.adapterDir !== null && lies(model.adapterDir) ? models.base.id : null
  }
}
