import { join } from 'node:path'
import type { Ift } from '@ift/core'
import { HttpError, invalid } from '../wire/errors.js'
import { DataView } from './data-view.js'
import { withOwn } from './plan.js'
import { configFacts, documentOf, fields } from './run-documents.js'
import type { RunFolders, RunPlace } from './run-folders.js'
import type { ColumnsRequest, DataListRow, DataMapping } from './types.js'

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
  /** What columns were said to be, by view and entry. */
  readonly #mappings = new Map<string, ReadonlyMap<number, DataMapping>>()

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
    const mappings = this.#mappings.get(name)
    const data = withColumns([config['data']].flat(), mappings ?? new Map())
    const view = new DataView({
      ...{
        name,
        title: place?.name ?? facts.data.join(', '),
        data,
        mappings: [...(mappings?.values() ?? [])],
      },
      session: { cwd: rootDir, searchFrom, config: withOwn(this.#ift, { ...config, data }) },
    })
    this.#open.set(name, view)
    const [oldest] = this.#open.size > mostViews ? this.#open : []
    if (oldest) {
      this.#open.delete(oldest[0])
      void oldest[1].close()
    }
    return view
  }

  /** Takes what the columns of a file are, and reads the data anew with that. */
  map(name: string, { entry, format, columns }: ColumnsRequest): void {
    const view = this.view(name)
    const state = view.state()
    const before = this.#mappings.get(name)
    const asked = 'unmapped' in state && state.unmapped.entry === entry ? state.unmapped : before?.get(entry)
    if (asked === undefined)
      throw invalid('entry', `entry: expected one whose columns are asked for, found ${entry}.`)
    const form = asked.forms.find((one) => one.format === format)
    if (form === undefined)
      throw invalid(
        'format',
        `format: expected ${asked.forms.map((one) => one.format).join(', ')}, found ${JSON.stringify(format)}.`,
      )
    for (const [field, column] of Object.entries(columns))
      if (!form.fields.includes(field) || !asked.found.includes(column))
        throw invalid(
          'columns',
          `columns: expected fields of ${format} and columns of the file, found ${field}: ${column}.`,
        )
    const lacks = form.needed.filter((field) => columns[field] === undefined)
    if (lacks.length > 0) throw invalid('columns', `columns: expected ${lacks.join(', ')} too.`)
    this.#mappings.set(name, new Map(before).set(entry, { ...asked, format, columns, problem: null }))
    this.#open.delete(name)
    void view.close()
  }

  async close(): Promise<void> {
    await Promise.all([...this.#open.values()].map((view) => view.close()))
    this.#open.clear()
  }
}

/** Entries of `data` with the columns that are known of them by now. */
const withColumns = (
  data: readonly unknown[],
  mappings: ReadonlyMap<number, Pick<ColumnsRequest, 'format' | 'columns'>>,
): readonly unknown[] =>
  data.map((entry, i) => {
    const known = mappings.get(i)
    if (known === undefined) return entry
    const { format, columns } = known
    return { ...(typeof entry === 'string' ? { path: entry } : fields(entry)), format, columns }
  })

function configOf({ dir }: RunPlace): Fields {
  try {
    return fields(documentOf(join(dir, 'manifest.json'))?.['config'] ?? documentOf(join(dir, 'config.json')))
  } catch {
    return {}
  }
}
