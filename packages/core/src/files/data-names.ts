import { basename, extname } from 'node:path'

/** Kinds of files that records are read from, by the ends of their names. */
const dataExtensions = ['.json', '.jsonl', '.ndjson', '.csv', '.tsv', '.parquet']
const archiveExtensions = ['.zip', '.tar', '.tar.gz', '.tgz', '.tar.zst', '.tzst']

/** For a message: the names that data files have. */
export const knownDataNames = `${dataExtensions.join(' ')}, .gz or .zst of them but Parquet, ${archiveExtensions.join(' ')}`

/** `file.jsonl.gz` is read as `file.jsonl`, `rows.tgz` as `rows.tar`. */
export const withoutCompression = (name: string): string =>
  name.replace(/\.t(gz|zst)$/i, '.tar').replace(/\.(gz|zst)$/i, '')

/** The end that tells the kind of a data file: `.jsonl` of `rows.jsonl.gz`. */
export const extensionOf = (name: string): string => extname(withoutCompression(name)).toLowerCase()

/** LLaMA-Factory's and Hugging Face's lists of data sets, which are named as data and hold none. */
export const isDatasetList = (name: string): boolean => /^dataset_infos?\.json$/i.test(basename(name))

/** Whether a name ends like one of records, archives apart. */
export const isDataName = (name: string): boolean => dataExtensions.includes(extensionOf(name))

/** Whether a file of a folder is one of its records by its name. */
export const isDataFile = (name: string): boolean =>
  isDataName(name) && !basename(name).startsWith('.') && !isDatasetList(name)

export const isArchive = (name: string): boolean =>
  archiveExtensions.some((extension) => name.toLowerCase().endsWith(extension))

/** What stands between an archive and what lies in it: `rows.zip!/part/a.jsonl`. */
const separator = '!/'

export const entryName = (archive: string, entry: string): string => `${archive}${separator}${entry}`

/** An archive, and which of its entries are meant. */
export interface EntrySpec {
  readonly archive: string
  /** A path, a folder or a pattern inside; all of it when empty. */
  readonly inside: string
}

/** Takes `rows.zip!/part/a.jsonl` apart; null for a text that names no entry. */
export function parseEntry(name: string): EntrySpec | null {
  for (let at = name.indexOf(separator); at >= 0; at = name.indexOf(separator, at + 1)) {
    const archive = name.slice(0, at)
    if (isArchive(archive)) return { archive, inside: name.slice(at + separator.length) }
  }
  return null
}
