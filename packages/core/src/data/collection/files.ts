import { basename } from 'node:path'
import { IftError } from '@ift/tensor'
import type { DatasetContext } from '../../contract/dataset.js'
import { withoutCompression } from '../../files/data-names.js'
import { isPattern } from '../../files/pattern.js'
import { dataFiles, decodeUtf8, fileOf, readLines, type Split } from '../read/index.js'
import { columns } from './columns.js'
import type { Read } from './read.js'

/**
 * A file by its path in the published set, or several paths under which it is published, of which the first found counts. A path may be a
 * pattern (`data/train-*.parquet`): every file that it matches is read, in the order of their paths.
 */
export type FileNames = string | readonly string[]

/** A file whose records are read in a way of its own. */
export interface FilePart {
  readonly names: FileNames
  readonly read: Read
}

type FileList = readonly (FileNames | FilePart)[]

/** Where the records of a dataset are. */
export interface Files {
  /**
   * The files, read one after the other. Each is looked for by its path and then by its name alone, in the folder that the user
   * named or on the hub.
   */
  readonly files: FileList
  /**
   * The files of other splits by the names of these, where they are called otherwise than those of training with another word in place of
   * "train".
   */
  readonly splits?: Readonly<Record<string, FileList>>
  /** Whether files may be absent as long as one is there. */
  readonly some?: boolean
  /** Files that a pattern matches and whose names match this are left out: splits that others evaluate on. */
  readonly omit?: RegExp
  /** A text file with a name a line: of the files that a pattern matches, those of these names are read, whatever stands behind the point. */
  readonly listed?: string
  /** Reads the records of files that have no `read` of their own; instruction, input and output by these names when omitted. */
  readonly read?: Read
  /**
   * Files of the original platform's collection on the hub, which hold its own conversion to `{instruction, input, output}`: read
   * where none of `files` is found. The first file found counts.
   */
  readonly converted?: readonly (string | FilePart)[]
}

/** Files under one name, or one pattern. */
export interface FoundFiles {
  readonly paths: readonly string[]
  readonly read: Read
  readonly isConverted: boolean
}

/** The original platform's collection of converted files. */
const convertedHub = 'QingyiSi/Alpaca-CoT'

const readAlpaca = columns({ instruction: 'instruction', input: 'input', output: 'output' })

/** There is no such file, or none of the split that is wanted. */
export const isMissing = (cause: unknown): cause is IftError =>
  cause instanceof IftError && (cause.code === 'IFT_SOURCE_NOT_FOUND' || cause.code === 'IFT_DATA_SPLIT')

interface FileSearch {
  readonly hub?: string
  /** Whether a name is that of a file in every split; else it is that of a training file. */
  readonly everySplit?: boolean
  /** Whether files are looked for by their paths only, and not by their names alone. */
  readonly exact?: boolean
  /** Which of the files that a pattern matches; all when absent. */
  readonly split?: Split
  /** Whether places are looked into; else a pattern stands for its files. */
  readonly looks?: boolean
}

/** The first of the names that leads to a file, with the files that it matches, or why the first of them leads nowhere. */
export async function firstFile(
  context: DatasetContext,
  names: FileNames,
  { hub, everySplit = false, exact = false, split = 'all', looks = true }: FileSearch = {},
): Promise<readonly string[] | IftError> {
  // A pattern of the collection, such as GPTeacher/*.json, would match anything without its folder.
  const alone = (path: string) => (exact || (hub !== undefined && isPattern(path)) ? [] : [basename(path)])
  let missing: IftError | undefined
  for (const path of new Set([names].flat().flatMap((one) => [one, ...alone(one)])))
    try {
      const place = await context.file(path, hub, { everySplit })
      // Whether a pattern or an archive has any is known only when it was looked into.
      return looks && (isPattern(path) || fileOf(path).entry !== null)
        ? await matching(place, split)
        : [place]
    } catch (cause) {
      if (!isMissing(cause)) throw cause
      missing ??= cause
    }
  return missing ?? new IftError('IFT_SOURCE_NOT_FOUND', 'No file is named.')
}

/** The files of a pattern one by one; entries of archives stay together, so that an archive is read once. */
async function matching(place: string, split: Split): Promise<readonly string[]> {
  const files = await dataFiles(place, split)
  return files.some((name) => fileOf(name).entry !== null) ? [place] : files
}

/** Names in a list, of which each stands for the file that is called so. */
async function namesIn(list: string): Promise<ReadonlySet<string>> {
  const names = new Set<string>()
  for await (const { bytes, line } of readLines(list)) names.add(decodeUtf8(bytes, `${list}:${line}`).trim())
  return names
}

const stem = (path: string) => basename(withoutCompression(path)).replace(/\.[^.]*$/, '')

/** The files without those that are left out. Throws IFT_DATA_SPLIT where none is left. */
async function chosen(
  name: string,
  paths: readonly string[],
  { omit, listed }: Files,
  context: DatasetContext,
): Promise<readonly string[]> {
  let left = omit ? paths.filter((path) => !omit.test(basename(path))) : paths
  if (listed !== undefined) {
    const list = await firstFile(context, listed)
    if (list instanceof IftError) throw notFound(name, 'the list of its files is missing', [listed], list)
    const names = await namesIn(list[0]!)
    left = left.filter((path) => names.has(stem(path)))
  }
  if (left.length > 0) return left
  throw new IftError(
    'IFT_DATA_SPLIT',
    `The dataset ${name}: none of ${paths.length} files is of those that it reads${listed === undefined ? '' : `, which ${listed} lists`}; there is ${basename(paths[0]!)}.`,
    'Name a file of its own: data: { path: "…" }.',
  )
}

/** A name or a part with the reader of its records. */
const partOf = (one: FileNames | FilePart, read: Read): FilePart =>
  typeof one === 'object' && 'read' in one ? one : { names: one, read }

const notFound = (name: string, what: string, names: readonly FileNames[], why?: IftError) =>
  new IftError(
    'IFT_SOURCE_NOT_FOUND',
    `The dataset ${name}: ${what}: ${names.map((one) => [one].flat().join(' or ')).join(', ')}. ${why?.message ?? ''}`.trim(),
    `Give the folder that holds them: data: { name: "${name}", path: "…" }.`,
    { cause: why },
  )

/**
 * Files of a dataset, or its converted file. Throws IFT_SOURCE_NOT_FOUND with the names that were looked for. With `looks: false` nothing is
 * read: the context is only asked for the files.
 */
export async function findFiles(
  name: string,
  part: Files,
  context: DatasetContext,
  { looks = true }: Pick<FileSearch, 'looks'> = {},
): Promise<readonly FoundFiles[]> {
  const { converted = [], some = false } = part
  const ofSplit = part.splits?.[context.split ?? '']
  const found: FoundFiles[] = []
  const absent: { readonly names: FileNames; readonly why: IftError }[] = []
  for (const one of ofSplit ?? part.files) {
    const { names, read } = partOf(one, part.read ?? readAlpaca)
    const paths = await firstFile(context, names, { everySplit: ofSplit !== undefined, looks })
    if (paths instanceof IftError) absent.push({ names, why: paths })
    else {
      // Under its name alone a file may be found again.
      const others = paths.filter((path) => !found.some((file) => file.paths.includes(path)))
      if (others.length > 0)
        found.push({
          paths: looks ? await chosen(name, others, part, context) : others,
          ...{ read, isConverted: false },
        })
    }
  }
  if (found.length > 0 && (some || absent.length === 0)) return found
  if (found.length === 0)
    for (const one of converted) {
      const { names, read } = partOf(one, readAlpaca)
      const paths = await firstFile(context, names, { hub: convertedHub, split: 'training', looks })
      if (!(paths instanceof IftError)) return [{ paths, read, isConverted: true }]
      absent.push({ names, why: paths })
    }
  // A split that no file can have is nowhere.
  if (absent.every(({ why }) => why.code === 'IFT_DATA_SPLIT') && absent[0]) throw absent[0].why
  throw notFound(
    name,
    found.length > 0 ? 'a file is missing' : 'none of the files was found',
    absent.map(({ names }) => names),
    absent[0]?.why,
  )
}
