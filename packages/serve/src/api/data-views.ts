import { join } from 'node:path'
import type { Ift } from '@ift/core'
import { HttpError } from '../wire/errors.js'
import { DataView } from './data-view.js'
import { withOwn } from './plan.js'
import { configFacts, documentOf, fields } from './run-documents.js'
import type { RunFolders, RunPlace } from './run-folders.js'
import type { DataListRow } from './types.js'

/** Views that are kept at a time: each has the rows of its data in memory. */
const mostViews = 2
/** Runs whose data are listed. */
const mostListed = 100

type Fields = Readonly<Record<string, unknown>>

/** Data that can be looked at: those of the working folder's config, and those of runs. */
export class DataViews {
  readonly #ift: Ift
  readonly #folders: RunFolders
  readonly #open = new Map<string, DataView>()

  constructor(ift: Ift, folders: RunFolders) {
    this.#ift = ift
    this.#folders = folders
  }

  async list(): Promise<readonly DataListRow[]> {
    const row = (name: string, title: string, config: Fields): DataListRow[] => {
      const sources = configFacts(config).data
      return sources.length === 0
        ? []
        : [{ name, title: title || sources.join(', '), sources, rows: this.#open.get(name)?.rows ?? null }]
    }
    const places = this.#folders
      .list()
      .places.filter(({ problem }) => problem === null)
      .slice(0, mostListed)
    return Promise.resolve([
      ...row('config', '', this.#ift.config),
      ...places.flatMap((place) => row(`run.${place.id}`, place.name, configOf(place))),
    ])
  }

  /** The view of a name, which is opened for it; 404 where there are no such data. */
  view(name: string): DataView {
    const found = this.#open.get(name)
    if (found) {
      // The one that was looked at last is closed last.
      this.#open.delete(name)
      this.#open.set(name, found)
      return found
    }
    const id = /^run\.([\w.-]{1,128})$/.exec(name)?.[1]
    if (id === undefined && name !== 'config')
      throw new HttpError(404, 'not_found', `There are no data ${JSON.stringify(name.slice(0, 140))}.`)
    const place = id === undefined ? null : this.#folders.find(id)
    const config = place ? configOf(place) : this.#ift.config
    const facts = configFacts(config)
    if (facts.data.length === 0)
      throw new HttpError(404, 'not_found', place ? 'The run names no data.' : 'The config names no data.', {
        hint: 'Set data: in the config of the working folder.',
      })
    const { rootDir, searchFrom } = this.#ift
    const view = new DataView(name, place?.name ?? facts.data.join(', '), {
      ...{ cwd: rootDir, searchFrom },
      config: withOwn(this.#ift, config),
    })
    this.#open.set(name, view)
    const [oldest] = this.#open.size > mostViews ? this.#open : []
    if (oldest) {
      this.#open.delete(oldest[0])
      void oldest[1].close()
    }
    return view
  }

  async close(): Promise<void> {
    await Promise.all([...this.#open.values()].map((view) => view.close()))
    this.#open.clear()
  }
}

function configOf({ dir }: RunPlace): Fields {
  try {
    return fields(documentOf(join(dir, 'manifest.json'))?.['config'] ?? documentOf(join(dir, 'config.json')))
  } catch {
    return {}
  }
}
