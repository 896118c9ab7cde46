import { basename } from 'node:path'
import { IftError } from '@ift/tensor'
import type { ZodType } from 'zod'
import type { Example } from '../../contract/data.js'
import type { DatasetContext, DatasetDefinition } from '../../contract/dataset.js'
import { DataRandom } from '../random.js'
import { readRecords, type RawRecord } from '../read/index.js'
import { excerpt, type ReadOptions } from '../read/record.js'
import { Companions, type Join } from './companions.js'
import { findFiles, type Files } from './files.js'
import { textOf, valueOf, type Field } from './field.js'
import { examplesOf, isDropped, type RecordContext } from './read.js'
import { grouped, holds, isGroup, sampled, within, type Inside } from './records.js'

/** One dataset of a collection: its files and what becomes of their records. */
export interface Part
  extends
    Files,
    Pick<ReadOptions, 'encoding' | 'undecodable' | 'header' | 'quotes' | 'tolerant' | 'lists' | 'kind'> {
  /** The field in which a record of the file holds a list of records; each is one, with the other fields of the record around it. */
  readonly inside?: Inside
  /** The field that tells which records, one after another, are one: `read` gets all of them as `{ records: [ … ] }`. */
  readonly group?: Field
  /** Fields that a record gets from other files of the set, before anything else is done with it. */
  readonly join?: Readonly<Record<string, Join>>
  /** What a user may set (zod, each with a default): it is the `options` of `RecordContext`. */
  readonly options?: ZodType<Readonly<Record<string, unknown>>>
  /** Records that belong to this dataset, where several share a file; the others are passed over, and not counted. */
  readonly keep?: (record: Readonly<Record<string, unknown>>) => boolean
  /** At most so many records of each file, which the seed chooses. */
  readonly perFile?: number
}

/** What a function of a package gives; IFT_PLUGIN_FAILED with the place of the record where it throws. */
function asked<T>(name: string, where: string, run: () => T): T {
  try {
    return run()
  } catch (cause) {
    throw failed(name, where, cause)
  }
}

function failed(name: string, where: string, cause: unknown): IftError {
  const reason = cause instanceof Error ? cause.message : String(cause)
  return new IftError(
    'IFT_PLUGIN_FAILED',
    `${where}: the dataset ${name} failed on this record: ${reason}`,
    'Delete the record, or report it to the author of the package.',
    { cause },
  )
}

/** A record with what other files of the set have for it. What is wrong with one of these is its own error. */
async function joined(
  name: string,
  { record, where }: RawRecord,
  { join = {} }: Pick<Part, 'join'>,
  companions: Companions,
  context: RecordContext,
): Promise<RawRecord['record']> {
  const made: Record<string, unknown> = { ...record }
  try {
    for (const [field, find] of Object.entries(join)) made[field] = await find(made, companions, context)
  } catch (cause) {
    throw cause instanceof IftError ? cause : failed(name, where, cause)
  }
  return made
}

const summary = (reasons: ReadonlyMap<string, number>): string =>
  [...reasons].map(([reason, count]) => `${count} ${reason}`).join(', ')

/** A record with its number among those of its file that belong to the dataset. */
interface NumberedRecord extends RawRecord {
  readonly number: number
}

/** Records of a file that belong to a dataset. */
async function* recordsOf(
  name: string,
  path: string,
  { encoding, undecodable, header, quotes, tolerant, lists, kind, inside, group, join, keep }: Partial<Part>,
  isExample: NonNullable<ReadOptions['isExample']>,
  companions: Companions,
  context: (number: number) => RecordContext,
): AsyncGenerator<NumberedRecord> {
  const records = readRecords(path, {
    ...(encoding === undefined ? {} : { encoding }),
    ...(undecodable === undefined ? {} : { undecodable }),
    ...(header === undefined ? {} : { header }),
    ...(quotes === undefined ? {} : { quotes }),
    ...(tolerant === undefined ? {} : { tolerant }),
    ...(lists === undefined ? {} : { lists }),
    ...(kind === undefined ? {} : { kind }),
    isExample:
      inside !== undefined
        ? (record) => holds(record, inside)
        : group === undefined
          ? isExample
          : (record) => isExample(isGroup(record) ? record : { records: [record] }),
  })
  const kept = async function* () {
    let count = 0
    for await (const raw of inside === undefined ? records : within(records, inside)) {
      const { where } = raw
      const record = join ? await joined(name, raw, { join }, companions, context(count)) : raw.record
      if (keep && !asked(name, where, () => keep(record))) continue
      count++
      yield { record, where }
    }
  }
  const keyOf = (record: unknown, where: string) =>
    asked(name, where, () => (group === undefined ? null : textOf(valueOf(group, record, context(0)))))
  let number = 0
  for await (const { record, where } of group === undefined ? kept() : grouped(kept(), keyOf))
    yield { record, where, number: number++ }
}

/**
 * Examples of a dataset. A record that gives none is told to `context.dropped`; a file, or all files of a pattern, of which no record gives
 * one is IFT_DATA_RECORD: it is not what the dataset is made of.
 */
async function* load(name: string, part: Part, context: DatasetContext): AsyncGenerator<Example> {
  const settings = part.options?.parse(context.options ?? {})
  const companions = new Companions(name, context)
  for (const { paths, read, isConverted } of await findFiles(name, part, context)) {
    let given = 0
    const reasons = new Map<string, number>()
    let first: { readonly where: string; readonly fields: string } | undefined
    for (const path of paths) {
      const file = basename(path)
      const recordContext = (number: number): RecordContext => ({
        file,
        random: (purpose) => new DataRandom(name, context.seed, file, number, purpose),
        ...(settings && { options: settings }),
      })
      // An object alone in its file may be a record, or hold all of them.
      const isExample = (record: unknown) =>
        !isDropped(asked(name, path, () => examplesOf(read(record, recordContext(0)))))
      const { perFile, ...options } = isConverted ? {} : part
      const records = recordsOf(name, path, options, isExample, companions, recordContext)
      for await (const { record, where, number } of perFile === undefined
        ? records
        : sampled(records, perFile, new DataRandom(name, context.seed, file))) {
        const made = asked(name, where, () => examplesOf(read(record, recordContext(number))))
        if (!isDropped(made)) {
          for (const example of made) {
            given++
            yield example
          }
          continue
        }
        reasons.set(made.dropped, (reasons.get(made.dropped) ?? 0) + 1)
        first ??= { where, fields: excerpt(Object.keys(record).join(', ') || 'none', 200) }
        context.dropped?.(made.dropped, where)
      }
    }
    if (given === 0 && first)
      throw new IftError(
        'IFT_DATA_RECORD',
        `${first.where}: no record of the file gives an example of ${name} (${summary(reasons)}); the fields of the first are ${first.fields}.${companions.missing ? ` ${companions.missing.message}` : ''}`,
        `Check that it is the file that the dataset is made of, or name it as a file of its own: data: { path: ${JSON.stringify(paths[0])} }.`,
      )
  }
}

/** A dataset of what is known of it and a part of a collection. */
export const collectionDataset = (facts: Omit<DatasetDefinition, 'load'>, part: Part): DatasetDefinition => ({
  ...facts,
  ...(part.options && { options: part.options }),
  files: async (context) => {
    await findFiles(facts.name, part, context, { looks: false })
  },
  load: (context) => load(facts.name, part, context),
})
