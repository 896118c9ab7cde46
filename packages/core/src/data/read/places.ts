import { readdir, stat } from 'node:fs/promises'
import { basename, dirname, join, relative, resolve, sep } from 'node:path'
import { IftError } from '@ift/tensor'
import { entryName, isArchive, isDataFile, knownDataNames, parseEntry } from '../../files/data-names.js'
import { isPattern, nearestNames, pathMatcher } from '../../files/pattern.js'
import { archiveEntries } from './archive/index.js'
import { dataFailed, FileStamp } from './record-file.js'
import { filesOf, type Split } from './splits.js'

/** Files that a place stands for, with their paths inside of it, which tell their split. */
interface Found {
  readonly files: readonly { readonly name: string; readonly inside: string }[]
  /** Whether they were named one by one, or by a pattern, rather than by what they lie in. */
  readonly named: boolean
}

const isFolder = async (path: string): Promise<boolean> =>
  (await stat(path).catch(() => null))?.isDirectory() === true

/** Paths of the files in a folder, and below when `deep`, with '/', sorted. Links to files are files, as in the hub's cache. */
async function filesBelow(folder: string, deep: boolean): Promise<string[]> {
  let entries
  try {
    entries = await readdir(folder, { recursive: deep, withFileTypes: true })
  } catch (cause) {
    throw dataFailed(folder, cause)
  }
  const paths: string[] = []
  for (const entry of entries) {
    const path = join(entry.parentPath, entry.name)
    const isFile =
      entry.isFile() || (entry.isSymbolicLink() && (await stat(path).catch(() => null))?.isFile() === true)
    if (isFile) paths.push(relative(folder, path).split(sep).join('/'))
  }
  return paths.sort()
}

/** Entries of archives that were listed, the last few; a compressed tar archive has to be read to its end for it. */
const listings = new Map<string, { readonly stamp: FileStamp; readonly entries: readonly string[] }>()

async function listEntries(archive: string): Promise<readonly string[]> {
  const path = resolve(archive)
  const stamp = await FileStamp.of(path)
  const before = listings.get(path)
  if (before?.stamp.equals(stamp)) return before.entries
  const entries: string[] = []
  for await (const { inside } of archiveEntries(archive)) entries.push(inside)
  listings.set(path, { stamp, entries })
  if (listings.size > 16) listings.delete(listings.keys().next().value!)
  return entries
}

const notFound = (place: string, what: string, hint: string) =>
  new IftError('IFT_SOURCE_NOT_FOUND', `${place}: ${what}`, hint)

async function inArchive(archive: string, inside: string): Promise<Found> {
  const all = await listEntries(archive)
  const folder = inside.replace(/\/+$/, '')
  const name = (entry: string) => ({ name: entryName(archive, entry), inside: entry })
  if (all.includes(inside)) return { files: [name(inside)], named: true }
  const within = folder === '' ? all : all.filter((entry) => entry.startsWith(`${folder}/`))
  const byPattern = within.length === 0 && isPattern(inside)
  const chosen = byPattern ? all.filter(pathMatcher(inside)) : within
  const data = chosen.filter(isDataFile)
  const files = data.length === 0 && byPattern ? chosen : data
  if (files.length > 0) return { files: files.map(name), named: byPattern }
  throw notFound(
    inside === '' ? archive : entryName(archive, inside),
    folder === ''
      ? `no data file in this archive (${knownDataNames}); it has ${nearestNames('', all)}.`
      : `no entry of the archive is meant by it; there are ${nearestNames(inside, all.filter(isDataFile))}.`,
    'Entries are named behind the archive: rows.zip!/part/*.jsonl',
  )
}

/** Data files of a folder and below; its archives where it has none. */
async function inFolder(folder: string): Promise<Found> {
  const paths = (await filesBelow(folder, true)).map((inside) => ({ name: join(folder, inside), inside }))
  const files = paths.filter(({ inside }) => isDataFile(inside))
  if (files.length > 0) return { files, named: false }
  const packed: { name: string; inside: string }[] = []
  for (const { name, inside } of paths.filter(({ inside }) => isArchive(inside)))
    for (const entry of (await inArchive(name, '')).files)
      packed.push({ name: entry.name, inside: `${inside}/${entry.inside}` })
  if (packed.length > 0) return { files: packed, named: false }
  throw notFound(folder, `no data file in this folder (${knownDataNames}).`, 'Name the file itself.')
}

/** The folder that a pattern begins in, and the rest of it. A folder that exists is no pattern, whatever its name. */
async function splitPattern(place: string): Promise<{ readonly folder: string; readonly pattern: string }> {
  const parts = resolve(place).split(sep)
  let folder = parts[0]! + sep
  let i = 1
  for (; i < parts.length - 1; i++) {
    const next = join(folder, parts[i]!)
    if (!(await isFolder(next))) break
    folder = next
  }
  return { folder, pattern: parts.slice(i).join('/') }
}

async function byPattern(place: string): Promise<Found> {
  const { folder, pattern } = await splitPattern(place)
  const all = await filesBelow(folder, pattern.includes('/') || pattern.includes('**'))
  const matched = all.filter(pathMatcher(pattern))
  const data = matched.filter((path) => isDataFile(path) || isArchive(path))
  const files: { name: string; inside: string }[] = []
  for (const inside of data.length === 0 ? matched : data) {
    const path = join(folder, inside)
    if (!isArchive(inside)) files.push({ name: path, inside })
    else
      for (const entry of (await inArchive(path, '')).files)
        files.push({ name: entry.name, inside: `${inside}/${entry.inside}` })
  }
  if (files.length > 0) return { files, named: true }
  const there = all.filter((path) => isDataFile(path) || isArchive(path))
  throw notFound(
    place,
    `no file matches the pattern; in ${folder} there are ${nearestNames(pattern, there)}.`,
    '* and ? stay within a folder, ** goes through folders; relative patterns start at the folder of the config file.',
  )
}

async function find(place: string): Promise<Found> {
  let info
  try {
    info = await stat(place)
  } catch (cause) {
    const entry = parseEntry(place)
    if (entry) {
      const packed: { name: string; inside: string }[] = []
      for (const archive of await archivesOf(entry.archive))
        packed.push(...(await inArchive(archive, entry.inside)).files)
      return { files: packed, named: entry.inside !== '' }
    }
    if (isPattern(place)) return byPattern(place)
    throw await missing(place, cause)
  }
  if (info.isDirectory()) return inFolder(place)
  if (isArchive(place)) return inArchive(place, '')
  return { files: [{ name: place, inside: basename(place) }], named: true }
}

async function archivesOf(place: string): Promise<readonly string[]> {
  if (!isPattern(place) || (await stat(place).catch(() => null))) return [place]
  const { folder, pattern } = await splitPattern(place)
  const all = await filesBelow(folder, pattern.includes('/') || pattern.includes('**'))
  const matched = all.filter(isArchive).filter(pathMatcher(pattern))
  if (matched.length > 0) return matched.map((inside) => join(folder, inside))
  throw notFound(
    place,
    `no archive matches the pattern; in ${folder} there are ${nearestNames(pattern, all.filter(isArchive))}.`,
    'Check the pattern; relative ones start at the folder of the config file.',
  )
}

/** A file that is not there, with those that are there beside it. */
async function missing(place: string, cause: unknown): Promise<unknown> {
  const error = dataFailed(place, cause)
  const folder = dirname(resolve(place))
  if (!(error instanceof IftError) || error.code !== 'IFT_SOURCE_NOT_FOUND' || !(await isFolder(folder)))
    return error
  const there = (await filesBelow(folder, false).catch(() => [])).filter(
    (path) => isDataFile(path) || isArchive(path),
  )
  if (there.length === 0) return error
  return new IftError(
    error.code,
    `${place}: no such file or folder; in ${folder} there are ${nearestNames(basename(place), there)}.`,
    error.hint,
    { cause: error.cause },
  )
}

/**
 * Files of a split that a place stands for: a file, a folder with those in it and below, an archive with its entries
 * (`rows.zip`, `rows.zip!/part`), or a pattern of any of them (`shards/*.jsonl`, `rows.zip!/part/*.jsonl`). In the order of their paths,
 * entries in that of their archive. Held-out files are left out by what they are in, not when a pattern names nothing else.
 */
export async function dataFiles(place: string, split: Split = 'all'): Promise<readonly string[]> {
  const { files, named } = await find(place)
  if (files.length === 1 && named) return [files[0]!.name]
  try {
    return filesOf(place, files, split)
  } catch (problem) {
    if (named && typeof split === 'string') return files.map(({ name }) => name)
    throw problem
  }
}

/** Where a data file lies on disk, and which entry of it is meant. */
export function fileOf(name: string): { readonly file: string; readonly entry: string | null } {
  const { archive, inside } = parseEntry(name) ?? { archive: name, inside: null }
  return { file: archive, entry: inside }
}

/** Files on disk that a place is read from: of entries, their archives. */
export const diskFiles = async (place: string): Promise<readonly string[]> => [
  ...new Set((await dataFiles(place)).map((name) => fileOf(name).file)),
]
