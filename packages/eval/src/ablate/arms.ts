import { basename } from 'node:path'
import {
  expandComposite,
  IftError,
  knownDatasets,
  selectDatasets,
  suggest,
  type DataEntry,
  type Ift,
  type KnownDataset,
} from '@ift/core'

/** A mixture that is trained on: that of the config, or one without or with a part. */
export interface Arm {
  /** `all`, `without cot`, `with alpaca`. */
  readonly name: string
  /** Its folder. */
  readonly folder: string
  readonly data: readonly DataEntry[]
  /** Sets that it lacks or has more than the config. */
  readonly changed: readonly string[]
}

/** The name of the arm that the others are compared with. */
export const wholeName = 'all'

const nameOf = (entry: DataEntry): string =>
  typeof entry === 'string' ? entry : (entry.name ?? entry.path ?? '')

/** The name of a file without folders and endings. */
const stemOf = (path: string) => basename(path.replaceAll('\\', '/')).replace(/(\.[a-z0-9]{1,8}){1,2}$/i, '')

/** What an entry is called: its name, that of its file, and its tags. */
function callsOf(entry: DataEntry): string[] {
  const tags = typeof entry === 'string' ? [] : (entry.tags ?? [])
  const path = typeof entry === 'string' ? entry : (entry.path ?? entry.name ?? '')
  return [nameOf(entry), stemOf(path), ...tags]
    .filter((call) => call !== '')
    .map((call) => call.toLowerCase())
}

/** Entries of a config, each a set of its own: a name that stands for several is those. */
function entriesOf(data: Ift['config']['data']): DataEntry[] {
  return [data].flat().flatMap((entry): DataEntry[] => {
    const name = typeof entry === 'string' ? entry : entry.name
    const parts = name === undefined ? [] : expandComposite(name)
    if (parts.length < 2) return [entry]
    return parts.map((part) => (typeof entry === 'string' ? part : { ...entry, name: part }))
  })
}

/** Whether an entry is meant by a word: what it is called, or a selection of datasets as `npx ift data list` takes. */
function meantBy(
  query: string,
  entries: readonly DataEntry[],
  known: readonly KnownDataset[],
): Set<DataEntry> {
  const word = query.trim().toLowerCase()
  const called = entries.filter((entry) => callsOf(entry).includes(word))
  const names = new Set(entries.map(nameOf))
  const inUse = known.filter(({ name }) => names.has(name))
  let selected: readonly KnownDataset[] = []
  try {
    selected = inUse.length === 0 ? [] : selectDatasets(inUse, query, { purpose: 'all' })
  } catch (error) {
    // A tag of the config's own is no word of selections.
    if (called.length === 0 || !(error instanceof IftError)) throw error
  }
  const chosen = new Set(selected.map(({ name }) => name))
  return new Set([...called, ...entries.filter((entry) => chosen.has(nameOf(entry)))])
}

const folderOf = (kind: string, query: string) =>
  `${kind}-${
    query
      .toLowerCase()
      .replaceAll(/[^\p{L}\p{N}.]+/gu, '-')
      .replaceAll(/^[-.]+|[-.]+$/g, '')
      .slice(0, 60) || 'x'
  }`

/**
 * The arms of an ablation: the config's data, the same without what each of `drop` means, and with each of `add` besides. IFT_USAGE for a word
 * that means nothing in the data, or all of it.
 */
export function armsOf(
  ift: Ift,
  { drop = [], add = [] }: { readonly drop?: readonly string[]; readonly add?: readonly string[] },
): Arm[] {
  const entries = entriesOf(ift.config.data)
  if (entries.length === 0)
    throw new IftError(
      'IFT_USAGE',
      'The config has no data to take parts of.',
      'Set data: in the config, or --data FILE',
    )
  if (drop.length + add.length === 0)
    throw new IftError(
      'IFT_USAGE',
      'Nothing is left out, and nothing added.',
      `Leave a part out: --drop ${callsOf(entries[0]!).at(-1)!}`,
    )
  const known = drop.length === 0 ? [] : knownDatasets(ift)
  const arms: Arm[] = [{ name: wholeName, folder: wholeName, data: entries, changed: [] }]
  for (const query of drop) {
    const meant = meantBy(query, entries, known)
    const calls = [...new Set(entries.flatMap(callsOf))]
    if (meant.size === 0) {
      const near = suggest(query, calls)
      throw new IftError(
        'IFT_USAGE',
        `--drop ${query} means none of the data: ${entries.map(nameOf).join(', ')}.`,
        near === null
          ? `It is called ${calls.slice(0, 20).join(', ')}; tags: of an entry are further names.`
          : `Did you mean ${near}?`,
      )
    }
    const data = entries.filter((entry) => !meant.has(entry))
    if (data.length === 0)
      throw new IftError(
        'IFT_USAGE',
        `--drop ${query} means all of the data: nothing would be left to train on.`,
        'Leave out less.',
      )
    const changed = entries.filter((entry) => meant.has(entry)).map(nameOf)
    arms.push({ name: `without ${query}`, folder: folderOf('without', query), data, changed })
  }
  for (const query of add)
    arms.push({
      ...{ name: `with ${query}`, folder: folderOf('with', query), changed: [query] },
      data: [...entries, query],
    })
  const twice = arms.find((arm, i) => arms.findIndex(({ folder }) => folder === arm.folder) < i)
  if (twice) throw new IftError('IFT_USAGE', `${twice.name} stands there twice.`, 'Name each part once.')
  return arms
}
