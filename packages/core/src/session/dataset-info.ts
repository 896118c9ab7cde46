import { stat } from 'node:fs/promises'
import { basename, dirname, isAbsolute, join } from 'node:path'
import { IftError } from '@ift/tensor'
import { array, boolean, looseObject, number, record, string, union } from 'zod'
import type { DataSource } from '../config/schema.js'
import { layoutColumns, layoutRoles, type RecordLayout } from '../data/format/layout.js'
import { hostile } from '../files/errors.js'
import { localPath } from '../files/paths.js'
import { nearestNames } from '../files/pattern.js'
import { readJson, type Shape } from '../files/read-json.js'
import { suggest } from '../suggest.js'

/** LLaMA-Factory's list of data sets (github.com/hiyouga/LLaMA-Factory, data/README.md). */
export const datasetInfoFile = 'dataset_info.json'

interface Entry {
  readonly file_name?: string | readonly string[]
  readonly hf_hub_url?: string
  readonly ms_hub_url?: string
  readonly om_hub_url?: string
  readonly script_url?: string
  readonly cloud_file_name?: string
  readonly formatting?: string
  readonly ranking?: boolean
  readonly subset?: string
  readonly split?: string
  readonly folder?: string
  readonly num_samples?: number
  readonly columns?: Readonly<Record<string, string>>
  readonly tags?: Readonly<Record<string, string>>
}

const text = string().optional()
const infoShape: Shape<Record<string, Entry>> = record(
  string(),
  looseObject({
    file_name: union([string(), array(string())]).optional(),
    ...{ hf_hub_url: text, ms_hub_url: text, om_hub_url: text, script_url: text, cloud_file_name: text },
    ...{ formatting: text, subset: text, split: text, folder: text },
    ranking: boolean().optional(),
    num_samples: number().int().positive().optional(),
    columns: record(string(), string()).optional(),
    tags: record(string(), string()).optional(),
  }),
)

const mediaColumns = ['images', 'videos', 'audios']
const preferenceColumns = ['chosen', 'rejected', 'kto_tag']
const knownNames = {
  columns: [...layoutColumns, ...mediaColumns, ...preferenceColumns],
  tags: ['role_tag', 'content_tag', ...Object.keys(layoutRoles)],
}

const defaultTags = {
  sharegpt: {
    role_tag: 'from',
    content_tag: 'value',
    user_tag: 'human',
    assistant_tag: 'gpt',
    observation_tag: 'observation',
    function_tag: 'function_call',
    system_tag: 'system',
  },
  openai: {
    role_tag: 'role',
    content_tag: 'content',
    user_tag: 'user',
    assistant_tag: 'assistant',
    observation_tag: 'tool',
    function_tag: 'function_call',
    system_tag: 'system',
  },
} as const satisfies Record<string, RecordLayout['tags']>

/** A source with a path, whose records may be laid out as an entry of dataset_info.json says. */
export type FileSource = DataSource & { readonly layout?: RecordLayout }

/**
 * What a source with a name and a path to a dataset_info.json, or to a folder that holds one with this name, stands for; any other source
 * as it is. Limit, split and encoding of the source count before those of the entry.
 */
export async function fromDatasetInfo(rootDir: string, source: DataSource): Promise<FileSource> {
  const { name, path } = source
  if (path === undefined) return source
  const file = await infoFile(rootDir, path)
  if (file === null) return source
  const info = await readJson(file, infoShape)
  const named = basename(path) === datasetInfoFile
  if (name === undefined && !named) return source
  if (name === undefined || !Object.hasOwn(info, name)) {
    // The folder of a dataset package may hold one too.
    if (!named) return source
    throw new IftError(
      'IFT_CONFIG_INVALID',
      name === undefined
        ? `${file} lists data sets, and none of them is named; there are ${nearestNames('', Object.keys(info), 12)}.`
        : `${file} lists no data set "${name}"; there are ${nearestNames(name, Object.keys(info), 12)}.`,
      `data: { path: ${path}, name: ${name === undefined ? '…' : (suggest(name, Object.keys(info)) ?? '…')} }`,
    )
  }
  const entry = info[name]!
  const place = `${file}: ${name}`
  refuse(entry, place)
  const { name: _, ...rest } = source
  const split = source.split ?? splitOf(entry, place)
  return {
    ...rest,
    path: placeOf(entry, place, dirname(file)),
    layout: layoutOf(entry, place),
    ...(split === undefined ? {} : { split }),
    ...(source.limit === undefined && entry.num_samples !== undefined ? { limit: entry.num_samples } : {}),
  }
}

/** The list that a path names or that lies in its folder; null without one. */
export async function infoFile(rootDir: string, path: string): Promise<string | null> {
  const place = localPath(rootDir, path)
  const file = basename(path) === datasetInfoFile ? place : join(place, datasetInfoFile)
  return (await stat(file).catch(() => null))?.isFile() === true ? file : null
}

const unsupported = (place: string, what: string, hint: string) =>
  new IftError('IFT_FILE_UNSUPPORTED', `${place}: ${what}`, hint)

/** A misspelt name would leave its column out, which makes another kind of example of a record. */
function refuseUnknown(place: string, field: keyof typeof knownNames, name: string): void {
  const known = knownNames[field]
  if (known.includes(name)) return
  const meant = field === 'columns' ? suggest(name, [...known, ...knownNames.tags]) : suggest(name, known)
  throw unsupported(
    place,
    `${field}: unknown name "${name}"; known are ${known.join(', ')}`,
    meant === null
      ? `Rename it, or delete it: "${field}".`
      : `"${known.includes(meant) ? field : 'tags'}": { "${meant}": … }`,
  )
}

/** Entries that are no instructions to learn from, or not to be had as files. */
function refuse(
  { ranking, columns = {}, tags = {}, script_url: script, cloud_file_name: cloud, ...entry }: Entry,
  place: string,
): void {
  for (const name of Object.keys(columns)) refuseUnknown(place, 'columns', name)
  for (const name of Object.keys(tags)) refuseUnknown(place, 'tags', name)
  const media = mediaColumns.filter((column) => column in columns)
  if (media.length > 0)
    throw unsupported(
      place,
      `it has ${media.join(' and ')}, and models here read text alone`,
      'Choose another set.',
    )
  if (ranking === true || preferenceColumns.some((column) => column in columns))
    throw unsupported(
      place,
      `it is a set of preferences (${ranking === true ? 'ranking' : 'columns chosen, rejected or kto_tag'}), and training here learns answers`,
      'Choose another set, or make one of the preferred answers.',
    )
  if (entry.hf_hub_url !== undefined || entry.file_name !== undefined) return
  const [field, where] =
    script !== undefined
      ? ['script_url', 'a program loads it, and none is run']
      : cloud !== undefined
        ? ['cloud_file_name', 'it lies in a bucket, and none is read']
        : entry.ms_hub_url !== undefined || entry.om_hub_url !== undefined
          ? ['ms_hub_url or om_hub_url', 'it lies on another hub than the one that is read']
          : ['', 'it names no file']
  throw unsupported(
    place,
    field === '' ? where : `${field}: ${where}`,
    'Fetch its files, and name them: "file_name": "rows.json"; or name a hub id: "hf_hub_url": "org/name".',
  )
}

/** The place of its files, in the folder of the list or on the hub. */
function placeOf(entry: Entry, place: string, base: string): string {
  const { hf_hub_url: hub, file_name: file, folder, subset } = entry
  if (hub === undefined) {
    const names = [file!].flat()
    if (names.length > 1 || names[0] === undefined)
      throw unsupported(
        place,
        `file_name: expected one file, found ${names.length}`,
        'Name their folder, or a pattern: "file_name": "part-*.json"',
      )
    if (isAbsolute(names[0]) || names[0].split(/[\\/]/).includes('..'))
      throw hostile(
        place,
        `file_name: "${names[0]}" lies outside of the folder of the list`,
        `Name the file itself: data: { path: ${names[0]} }`,
      )
    return join(base, names[0])
  }
  const id = hub.replace(/^https?:\/\/[^/]+\/datasets\//, '').replace(/\/+$/, '')
  // A subset is a folder of a repository, or a word in the names of its files.
  if (folder !== undefined) return `hf:${id}/${folder.replace(/^\/+|\/+$/g, '')}/**`
  return subset === undefined ? `hf:${id}` : `hf:${id}/{${subset}/**,**/${subset}/**,**/*${subset}*}`
}

/** Local files are one split, whatever they are called. */
function splitOf({ split, hf_hub_url: hub }: Entry, place: string): string | undefined {
  if (split === undefined || hub === undefined) return hub === undefined ? 'all' : undefined
  if (/[[\]+]/.test(split))
    throw unsupported(
      place,
      `split: "${split}" is a part of a split`,
      'Name the split: "split": "train", and "num_samples" for a part.',
    )
  return split === 'train' ? undefined : split
}

function layoutOf({ formatting = 'alpaca', columns, tags = {} }: Entry, place: string): RecordLayout {
  if (formatting !== 'alpaca' && formatting !== 'sharegpt' && formatting !== 'openai')
    throw unsupported(place, `formatting: "${formatting}"`, 'Known: alpaca, sharegpt, openai.')
  // As there: named columns leave no others.
  const given = columns ?? {
    ...(formatting === 'alpaca'
      ? { prompt: 'instruction', query: 'input', response: 'output' }
      : { messages: formatting === 'openai' ? 'messages' : 'conversations' }),
  }
  if (formatting === 'alpaca' && given['prompt'] === undefined)
    throw unsupported(
      place,
      'columns: no `prompt`',
      'Name the column of the instruction: "columns": { "prompt": … }',
    )
  return {
    formatting,
    columns: Object.fromEntries(
      layoutColumns.flatMap((name) => (given[name] === undefined ? [] : [[name, given[name]]])),
    ),
    tags: { ...defaultTags[formatting === 'openai' ? 'openai' : 'sharegpt'], ...tags },
  }
}
