import {
  knownDatasets,
  selectDatasets,
  type KnownDataset,
  type PluginSession,
  type VerbTerminal,
} from '@ift/core'
import { datasetLines, licenceMarks, resultWidth } from '../ui/dataset-view.js'

const facts = (one: KnownDataset) => {
  const {
    name,
    package: of,
    title,
    description,
    license,
    tags,
    kind,
    count,
    unit,
    evaluation,
    variantOf,
  } = one
  return {
    ...{ name, package: of ?? undefined, title: title ?? undefined, description },
    license: license.id ?? undefined,
    marks: licenceMarks(license),
    tags: tags ?? undefined,
    kind,
    size: count === null ? undefined : { count, unit },
    evaluation,
    variantOf: variantOf ?? undefined,
  }
}

/** Packages that one line of installing names; with more, a pattern of the name says as much. */
const mostPackages = 6

export interface ListOptions {
  /** A selection; all datasets where it is empty. */
  readonly query: string
  readonly json: boolean
}

/** Shows the datasets that a selection holds for: those that are here, and those of this project to install. None is loaded. */
export function listDatasets(
  session: PluginSession,
  terminal: VerbTerminal,
  { query, json }: ListOptions,
): number {
  const known = knownDatasets(session)
  const chosen = selectDatasets(known, query, { purpose: 'all' })
  const installed = chosen.filter((one) => one.installed)
  const installable = chosen.filter((one) => !one.installed)
  if (json) {
    terminal.json({ installed: installed.map(facts), installable: installable.map(facts) })
    return 0
  }
  if (query !== '') terminal.note(`${chosen.length} of ${known.length} datasets: ${query}`)
  if (chosen.length === 0) return 0
  const lines = datasetLines(chosen, resultWidth())
  const shown = (title: string, own: readonly KnownDataset[]) => {
    if (own.length === 0) return
    terminal.view(`${terminal.style('bold', title, 'stdout')}\n`)
    for (const one of own) terminal.view(`${lines.get(one.name)!}\n`)
  }
  shown('Installed', installed)
  if (installed.length === 0 && query === '')
    terminal.note('No dataset package is installed beside the config.')
  shown('To install', installable)
  const marks = [
    'NC not for commercial use',
    'SA share alike',
    '? commercial use not stated',
    'EVAL holds evaluation data',
  ]
  terminal.note(`Licences are those of the data: ${marks.join(', ')}.`)
  const packages = [...new Set(installable.flatMap(({ package: of }) => of ?? []))]
  if (packages.length > 0)
    terminal.note(
      `To install: npm install ${packages.length > mostPackages ? '@ift/dataset-NAME; npx ift data show NAME tells the package' : packages.join(' ')}`,
    )
  return 0
}
