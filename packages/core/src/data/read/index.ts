import { readdir, stat } from 'node:fs/promises'
import { basename, extname, join } from 'node:path'
import { IftError } from '@ift/tensor'
import { dataFailed, withoutCompression } from './bytes.js'
import { readCsv } from './csv.js'
import { readJson } from './json.js'
import { readJsonl } from './jsonl.js'
import { readParquet } from './parquet.js'
import type { RawRecord, ReadOptions } from './record.js'
import { filesOf, type Split } from './splits.js'

export { decodeUtf8 } from './bytes.js'
export { readCsv } from './csv.js'
export { readLines } from './jsonl.js'
export type { RawRecord, ReadOptions } from './record.js'
export type { Split } from './splits.js'

const containers: Readonly<
  Record<string, (path: string, options: ReadOptions) => AsyncGenerator<RawRecord>>
> = {
  '.json': readJson,
  '.jsonl': readJsonl,
  '.ndjson': readJsonl,
  '.csv': (path, options) => readCsv(path, ',', options),
  '.tsv': (path, options) => readCsv(path, '\t', options),
  '.parquet': readParquet,
}

const containerOf = (path: string) => containers[extname(withoutCompression(path)).toLowerCase()]

/** Files of a split with records in a folder and below, in the order of their paths; a file stands for itself. */
export async function dataFiles(path: string, split: Split = 'all'): Promise<readonly string[]> {
  let info
  try {
    info = await stat(path)
  } catch (cause) {
    throw dataFailed(path, cause)
  }
  if (!info.isDirectory()) return [path]
  let entries
  try {
    entries = await readdir(path, { recursive: true, withFileTypes: true })
  } catch (cause) {
    throw dataFailed(path, cause)
  }
  const files = entries
    .filter((entry) => entry.isFile() && !entry.name.startsWith('.') && containerOf(entry.name) !== undefined)
    .map((entry) => join(entry.parentPath, entry.name))
    .sort()
  if (files.length > 0) return filesOf(path, files, split)
  throw new IftError(
    'IFT_SOURCE_NOT_FOUND',
    `${path}: no data file in this folder (.json, .jsonl, .csv, .tsv, .parquet, also .gz or .zst of them).`,
    'Name the file itself.',
  )
}

/**
 * Records of a data file or of all data files in a folder, in order. The kind of file is told by its name:
 * .json .jsonl .ndjson .csv .tsv, each also with .gz or .zst, and .parquet.
 */
export async function* readRecords(path: string, options: ReadOptions = {}): AsyncGenerator<RawRecord> {
  for (const file of await dataFiles(path, options.split)) {
    const read = containerOf(file)
    if (!read || (read === readParquet && file !== withoutCompression(file)))
      throw new IftError(
        'IFT_DATA_CONTAINER',
        `${file}: cannot tell the kind of file from the name "${basename(file)}".`,
        'Known: .json .jsonl .ndjson .csv .tsv (also with .gz or .zst behind) and .parquet.',
      )
    yield* read(file, options)
  }
}
