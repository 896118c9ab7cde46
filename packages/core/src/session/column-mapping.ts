import { IftError } from '@ift/tensor'
import type { ResolvedConfig } from '../config/schema.js'
import { isExampleRecord, recordConverter } from '../data/format/index.js'
import { guessColumns, type ColumnMapping } from '../data/format/guess-columns.js'
import { readRecords, type RawRecord } from '../data/read/index.js'
import { fileSources, findRecords } from './record-source.js'

/** Records that stand as proof of a mapping. */
const proofs = 3

/** A file of an entry of `data` whose columns are no form that is known. */
export interface UnknownColumns {
  /** Number of the entry in `data`. */
  readonly entry: number
  readonly path: string
  /** Place of the first record. */
  readonly where: string
  readonly columns: readonly string[]
  /** What they may be, from the first records. */
  readonly guess: ColumnMapping
  /** The first three. */
  readonly records: readonly Readonly<Record<string, unknown>>[]
}

/**
 * The first entry of `data` that names a file whose first record is no example, for want of names that are known; null where all are.
 * Throws what keeps files from being found or read.
 */
export async function unknownColumns(
  rootDir: string,
  data: ResolvedConfig['data'],
): Promise<UnknownColumns | null> {
  for (const [entry, source] of (await fileSources(rootDir, data)).entries()) {
    const { path, name, layout } = source
    if (path === undefined || name !== undefined || layout !== undefined) continue
    const { path: place, options } = await findRecords(rootDir, { ...source, path })
    const records: RawRecord[] = []
    const isExample = (record: Readonly<Record<string, unknown>>) => isExampleRecord(record, options)
    for await (const raw of readRecords(place, { isExample, ...options })) {
      records.push(raw)
      if (records.length === proofs) break
    }
    const [first] = records
    if (first === undefined || isRead(first, options)) continue
    const found = records.map(({ record }) => record)
    return {
      ...{ entry, path, where: first.where, guess: guessColumns(found), records: found },
      columns: [...new Set(found.flatMap((record) => Object.keys(record)))],
    }
  }
  return null
}

/** Whether a record has a form that is known; what is wrong in it otherwise is not a question of names. */
function isRead(raw: RawRecord, options: Parameters<typeof recordConverter>[0] = {}): boolean {
  try {
    recordConverter(options)(raw)
    return true
  } catch (error) {
    if (!(error instanceof IftError)) throw error
    const lacksColumn = Object.values(options.columns ?? {}).some((column) => !(column in raw.record))
    return error.code !== 'IFT_DATA_FORMAT' && !lacksColumn
  }
}
