import {
  IftError,
  knownDatasets,
  suggest,
  type FirstExample,
  type Ift,
  type KnownDataset,
  type VerbTerminal,
} from '@ift/core'
import { bytes } from '../ui/format.js'
import { licenceMarks } from '../ui/dataset-view.js'

export interface ShowOptions {
  readonly name: string
  /** Folder of its files or hub id; where its entry in the config names one when absent. */
  readonly path: string | undefined
  readonly json: boolean
}

interface Count {
  readonly count: number
  readonly unit: string
  readonly by?: string | undefined
}

const counted = ({ count, unit, by }: Count) =>
  `${count.toLocaleString('en')} ${unit}${by === undefined ? '' : by === 'counted' ? ', counted from the files' : ` (${by})`}`

const meaning = { NC: 'not for commercial use', SA: 'share alike', '?': 'commercial use not stated' } as const

const licenceOf = ({ license, facts }: KnownDataset) =>
  [
    license.id ?? 'not known',
    ...licenceMarks(license).map((mark) => meaning[mark as keyof typeof meaning]),
    ...(facts?.license.terms ?? []).map((whose) => `with the terms of ${whose}`),
  ].join(', ')

/** Files of one place that are listed. */
const mostFiles = 12

/** Rows of a listing: nothing for what is not known. */
function rowsOf(one: KnownDataset, siblings: readonly string[]): [string, string][] {
  const { card, facts, tags, kind, count, unit, evaluation, variantOf } = one
  const shown = facts?.size ?? (count === null ? null : { count, unit: unit ?? '' })
  const rows: [string, string | undefined][] = [
    ['name', one.name],
    ['title', one.title ?? undefined],
    ['description', [card?.description, one.description].filter(Boolean).join(' ')],
    ['package', one.package ?? 'a plugin of the config'],
    ['install', one.installed ? undefined : `npm install ${one.package ?? one.name}`],
    ['languages', tags?.lang.join(', ')],
    ['tasks', tags?.task.map((task) => ({ MT: 'many (MT)', TS: 'one (TS)' })[task]).join(', ')],
    ['made', tags?.gen.join(', ')],
    ['kind', kind.join(', ')],
    ['records', shown === null ? undefined : counted(shown)],
    ['original', facts?.original && counted(facts.original)],
    ['licence', licenceOf(one)],
    ['stated', facts?.license.stated],
    ['variant of', variantOf ?? undefined],
    ['beside it', siblings.join(', ')],
    ...(facts?.contains ?? []).map((text): [string, string] => ['warning', `contains ${text}`]),
    ...evaluation.map((text): [string, string] => ['warning', `holds data that others evaluate on: ${text}`]),
    ...(facts?.warnings ?? []).map((text): [string, string] => ['warning', text]),
    ...(facts?.upstream ?? []).flatMap(({ hub, url, revision, files }): [string, string][] => [
      ['published', `${hub ?? url ?? ''}${revision === undefined ? '' : `@${revision}`}`],
      ...files
        .slice(0, mostFiles)
        .map((file): [string, string] => [
          '',
          `${file.path}${file.bytes === undefined ? '' : `, ${bytes(file.bytes)}`}`,
        ]),
      ['', files.length > mostFiles ? `and ${files.length - mostFiles} more` : ''],
    ]),
    ['cited as', facts?.citation],
    ['compared', card?.checked && `with what is published in ${card.checked}`],
  ]
  return rows.flatMap(([title, text]) => (text ? [[title, text]] : []))
}

/** Folder or hub id that the config gives a dataset. */
function configuredPath({ config }: Ift, name: string): string | undefined {
  for (const entry of [config.data].flat())
    if (typeof entry !== 'string' && entry.name === name) return entry.path
  return undefined
}

/** Text with what is learned of it between marks, or in a colour. */
const written = ({ segments }: FirstExample, terminal: VerbTerminal): string =>
  segments
    .map(({ text, trained, special }) => {
      const shown = special === true ? `<${text.replace(/^<|>$/g, '')}>` : text
      if (terminal.showsStyles) return terminal.style(trained ? 'green' : 'dim', shown, 'stdout')
      return trained ? `⟦${shown}⟧` : shown
    })
    .join('')
    .replaceAll('⟧⟦', '')

/** Shows what is known of a dataset, and an example where its package and a place of its data are there. */
export async function showDataset(
  ift: Ift,
  terminal: VerbTerminal,
  { name, path, json }: ShowOptions,
): Promise<number> {
  const known = knownDatasets(ift)
  const one = known.find((dataset) => dataset.name === name)
  if (one === undefined) {
    const near = suggest(
      name,
      known.map((dataset) => dataset.name),
    )
    throw new IftError(
      'IFT_PLUGIN_NOT_FOUND',
      `There is no dataset "${name}".`,
      near === null ? 'Those that there are: npx ift data list' : `Did you mean ${near}?`,
    )
  }
  const place = path ?? configuredPath(ift, name)
  const example =
    one.installed && place !== undefined
      ? await ift.firstExample({ name, path: place, encoding: 'utf-8' })
      : undefined
  if (json) {
    terminal.json({ ...one, ...(example === undefined ? {} : { example }) })
    return 0
  }
  const siblings = known.flatMap((other) =>
    one.package !== null && other.package === one.package && other !== one ? [other.name] : [],
  )
  terminal.table(rowsOf(one, siblings))
  for (const note of one.card?.notes ?? []) terminal.view(`\n${note}\n`)
  if (example === undefined)
    terminal.note(
      one.installed
        ? `An example as the model reads it: npx ift data show ${name} FOLDER`
        : `An example is shown when ${one.package ?? 'its package'} is installed.`,
    )
  else if (example === null) terminal.note(`There is no example in ${place!}.`)
  else {
    const { where, template } = example
    terminal.note(
      `\n${where}${template === null ? '' : `, template ${template}`}${terminal.showsStyles ? '' : '; what is learned stands between ⟦ and ⟧'}:`,
    )
    terminal.view(`${written(example, terminal)}\n`)
  }
  return 0
}
