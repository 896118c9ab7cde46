import { hubSettings } from '../config/env.js'
import type { DataEntry, DataSource, ResolvedConfig } from '../config/schema.js'
import type { SourceOptions } from '../data/build.js'
import { dataFiles, fileOf, FileStamps, type Split } from '../data/read/index.js'
import { isPattern } from '../files/pattern.js'
import { locateData } from '../source/index.js'
import { fromDatasetInfo, type FileSource } from './dataset-info.js'

/** Files of records that an entry of `data` names, found. */
export interface RecordSource {
  /** The file or folder, on this machine. */
  readonly path: string
  readonly files: readonly string[]
  /** Files of the folder that their names mark as held out, when no split is set. */
  readonly leftOut: readonly string[]
  readonly options: SourceOptions
}

/** An entry of `data` in full: text with a separator, an extension or a pattern is a path, other text the name of a dataset. */
export const asSource = (entry: DataEntry): DataSource =>
  typeof entry !== 'string'
    ? entry
    : /[\\/]|\.[a-z]+$/i.test(entry) || isPattern(entry)
      ? { path: entry, encoding: 'utf-8' }
      : { name: entry, encoding: 'utf-8' }

/** All entries of `data` in full. */
export const sourcesOf = (data: ResolvedConfig['data']): DataSource[] => [data].flat().map(asSource)

/** Sources as they are, and those of a dataset_info.json as the files that they stand for. */
export const fileSources = (rootDir: string, entries: ResolvedConfig['data']): Promise<FileSource[]> =>
  Promise.all(sourcesOf(entries).map((source) => fromDatasetInfo(rootDir, source)))

/** Place of a dataset's files on this machine: a path or pattern, or what a hub id names, which is fetched. */
export const locateDataset = (rootDir: string, spec: string, patterns?: readonly string[]): Promise<string> =>
  locateData(spec, { kind: 'dataset', rootDir, ...hubSettings(), ...(patterns ? { patterns } : {}) })

/** Finds the files of an entry with a path, and how they are to be read. */
export async function findRecords(
  rootDir: string,
  {
    path,
    split: named,
    format,
    columns,
    layout,
    limit,
    encoding,
    tolerant,
    csv,
  }: FileSource & { readonly path: string },
  purpose: 'training' | 'validation' = 'training',
): Promise<RecordSource> {
  const place = await locateDataset(rootDir, path)
  const split: Split = named === undefined ? purpose : named === 'all' ? 'all' : { named }
  const [files, all] = [await dataFiles(place, split), await dataFiles(place)]
  const taken = new Set(files)
  return {
    path: place,
    files,
    leftOut: named === undefined ? all.filter((one) => !taken.has(one)) : [],
    options: {
      split,
      ...(format ? { format } : {}),
      ...(columns ? { columns } : {}),
      ...(layout ? { layout } : {}),
      ...(limit === undefined ? {} : { limit }),
      encoding,
      ...(tolerant === true ? { tolerant } : {}),
      ...csv,
      stamps: await FileStamps.of(files.map((name) => fileOf(name).file)),
    },
  }
}
