import { basename } from 'node:path'
import { IftError } from '@ift/tensor'
import {
  entryName,
  extensionOf,
  knownDataNames,
  parseEntry,
  withoutCompression,
} from '../../files/data-names.js'
import { archiveEntries } from './archive/index.js'
import { readCsv } from './csv.js'
import { decompressed } from './decompress.js'
import { proposeEncoding, WrongEncoding } from './encodings.js'
import { readJson } from './json.js'
import { readJsonl } from './jsonl.js'
import { readParquet } from './parquet.js'
import { dataFiles, fileOf } from './places.js'
import type { RawRecord, ReadOptions } from './record.js'
import { fileOnDisk, type Chunks, type RecordFile } from './record-file.js'
import { onDisk } from './unpacked.js'

export { decodeUtf8 } from './bytes.js'
export { readCsv } from './csv.js'
export { readLines } from './jsonl.js'
export { LineIndex } from './line-index.js'
export { dataFiles, diskFiles, fileOf } from './places.js'
export type { RawRecord, ReadOptions } from './record.js'
export { FileStamps, storedBytes } from './record-file.js'
export type { Split } from './splits.js'

const containers: Readonly<
  Record<string, (file: RecordFile, options: ReadOptions) => AsyncGenerator<RawRecord>>
> = {
  '.json': readJson,
  '.jsonl': readJsonl,
  '.ndjson': readJsonl,
  '.csv': (file, options) => readCsv(file, undefined, options),
  '.tsv': (file, options) => readCsv(file, '\t', options),
}

async function* readFile(file: RecordFile, options: ReadOptions): AsyncGenerator<RawRecord> {
  const { name } = file
  const read = containers[extensionOf(name)]
  if (read) yield* read(file, options)
  else if (extensionOf(name) === '.parquet' && name === withoutCompression(name))
    yield* onDisk(file, (path) => readParquet(path, name))
  else if (options.kind !== undefined) yield* containers[options.kind]!(file, options)
  else
    throw new IftError(
      'IFT_DATA_CONTAINER',
      `${name}: cannot tell the kind of file from the name "${basename(name)}".`,
      `Known: ${knownDataNames}.`,
    )
}

/** Files one after another; those of one archive in one pass over it. */
async function* openFiles(names: readonly string[]): AsyncGenerator<RecordFile> {
  for (let i = 0; i < names.length;) {
    const archive = parseEntry(names[i]!)?.archive
    if (archive === undefined) {
      yield fileOnDisk(names[i++]!)
      continue
    }
    const wanted = new Set<string>()
    for (; i < names.length && parseEntry(names[i]!)?.archive === archive; i++) wanted.add(names[i]!)
    for await (const entry of archiveEntries(archive))
      if (wanted.has(entryName(archive, entry.inside))) yield entry
  }
}

/** A file once more, after decompression. */
async function* bytesOf(name: string): Chunks {
  for await (const file of openFiles([name])) yield* decompressed(file)
}

/** Records behind the one that was refused that are tried too. */
const triedBehind = 1000

/** Whether a file of JSON can be read as tolerant JSON: to its end, or so many records. */
async function isTolerable(name: string, most: number, options: ReadOptions): Promise<boolean> {
  if (options.tolerant === true || !/^\.(json|jsonl|ndjson)$/.test(extensionOf(name))) return false
  const { onProblem: _, ...rest } = options
  let records = 0
  try {
    for await (const file of openFiles([name]))
      for await (const _ of readFile(file, { ...rest, tolerant: true })) if (++records > most) return true
    return records > 0
  } catch {
    return false
  }
}

/** The error of a file behind so many of its records, with what would read it, as far as trying tells. */
export async function explained(
  cause: unknown,
  name: string,
  records: number,
  options: ReadOptions,
): Promise<unknown> {
  if (cause instanceof WrongEncoding) return proposeEncoding(cause, bytesOf(name))
  if (!(cause instanceof IftError) || cause.code !== 'IFT_DATA_SYNTAX') return cause
  return (await isTolerable(name, records + triedBehind, options))
    ? new IftError(cause.code, cause.message, 'tolerant: true reads the file as it is.', {
        cause: cause.cause,
      })
    : cause
}

/**
 * Records of a place, in order: of a file, a folder, an archive or a pattern, see `dataFiles`. The kind of a file is told by its name:
 * .json .jsonl .ndjson .csv .tsv, each also with .gz or .zst, and .parquet.
 */
export async function* readRecords(place: string, options: ReadOptions = {}): AsyncGenerator<RawRecord> {
  for await (const file of openFiles(await dataFiles(place, options.split))) {
    let records = 0
    let skipped = 0
    const { onProblem } = options
    const report = (problem: IftError) => {
      skipped++
      onProblem?.(problem)
    }
    try {
      await options.stamps?.check(fileOf(file.name).file)
      for await (const record of readFile(file, onProblem ? { ...options, onProblem: report } : options)) {
        records++
        yield record
      }
    } catch (cause) {
      // What was skipped may be any number of records of tolerant JSON, so the place of the error is not known by them.
      throw await explained(cause, file.name, skipped > 0 ? Infinity : records, options)
    }
  }
}
