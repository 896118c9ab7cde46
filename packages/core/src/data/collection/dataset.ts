import { basename } from 'node:path'
import { IftError } from '@ift/tensor'
import type { Example } from '../../contract/data.js'
import type { DatasetContext, DatasetDefinition } from '../../contract/dataset.js'
import { DataRandom } from '../random.js'
import { readRecords } from '../read/index.js'
import { excerpt, type ReadOptions } from '../read/record.js'
import { columns } from './columns.js'
import { examplesOf, isDropped, type Read, type RecordContext } from './read.js'

/** A file by its path in the published set, or several paths under which it is published, of which the first found counts. */
export type FileNames = string | readonly string[]

/** A file whose records are read in a way of its own. */
export interface FilePart {
  readonly names: FileNames
  readonly read: Read
}

/** One dataset of a collection: its files and what becomes of their records. */
export interface Part extends Pick<ReadOptions, 'encoding' | 'header' | 'quotes'> {
  /**
   * The files, read one after the other. Each is looked for by its path and then by its name alone, in the folder that the user
   * named or on the hub.
   */
  readonly files: readonly (FileNames | FilePart)[]
  /** Whether files may be absent as long as one is there. */
  readonly some?: boolean
  /** Reads the records of files that have no `read` of their own; instruction, input and output by these names when omitted. */
  readonly read?: Read
  /** Records that belong to this dataset, where several share a file; the others are passed over, and not counted. */
  readonly keep?: (record: Readonly<Record<string, unknown>>) => boolean
  /**
   * Files of the original platform's collection on the hub, which hold its own conversion to `{instruction, input, output}`: read
   * where none of `files` is found. The first file found counts.
   */
  readonly converted?: readonly (string | FilePart)[]
}

/** The original platform's collection of converted files. */
const convertedHub = 'QingyiSi/Alpaca-CoT'

const readAlpaca = columns({ instruction: 'instruction', input: 'input', output: 'output' })

interface FoundFile {
  readonly path: string
  readonly read: Read
  readonly isConverted: boolean
}

/** There is no such file, or none of the split that is wanted. */
const isMissing = (cause: unknown): cause is IftError =>
  cause instanceof IftError && (cause.code === 'IFT_SOURCE_NOT_FOUND' || cause.code === 'IFT_DATA_SPLIT')

/** The first of the names that leads to a file, or why the first of them leads nowhere. */
async function firstFile(
  context: DatasetContext,
  names: FileNames,
  hub?: string,
): Promise<string | IftError> {
  const paths = [names].flat()
  let missing: IftError | undefined
  for (const path of new Set(paths.flatMap((one) => [one, basename(one)])))
    try {
      return await context.file(path, hub)
    } catch (cause) {
      if (!isMissing(cause)) throw cause
      missing ??= cause
    }
  return missing ?? new IftError('IFT_SOURCE_NOT_FOUND', 'No file is named.')
}

const partOf = (one: FileNames | FilePart, read: Read): FilePart =>
  typeof one === 'object' && 'read' in one ? one : { names: one, read }

async function findFiles(name: string, part: Part, context: DatasetContext): Promise<readonly FoundFile[]> {
  const { files, converted = [], some = false } = part
  const found: FoundFile[] = []
  const absent: { readonly names: FileNames; readonly why: IftError }[] = []
  for (const one of files) {
    const { names, read } = partOf(one, part.read ?? readAlpaca)
    const path = await firstFile(context, names)
    if (typeof path === 'string') found.push({ path, read, isConverted: false })
    else absent.push({ names, why: path })
  }
  if (found.length > 0 && (some || absent.length === 0)) return found
  if (found.length === 0)
    for (const one of converted) {
      const { names, read } = partOf(one, readAlpaca)
      const path = await firstFile(context, names, convertedHub)
      if (typeof path === 'string') return [{ path, read, isConverted: true }]
      absent.push({ names, why: path })
    }
  // A split that no file can have is nowhere.
  if (absent.every(({ why }) => why.code === 'IFT_DATA_SPLIT') && absent[0]) throw absent[0].why
  const list = absent.map(({ names }) => [names].flat().join(' or '))
  const which = found.length > 0 ? 'a file is missing' : 'none of the files was found'
  throw new IftError(
    'IFT_SOURCE_NOT_FOUND',
    `The dataset ${name}: ${which}: ${list.join(', ')}. ${absent[0]?.why.message ?? ''}`.trim(),
    `Give the folder that holds them: data: { name: "${name}", path: "…" }.`,
    { cause: absent[0]?.why },
  )
}

/** What a function of a package gives; IFT_PLUGIN_FAILED with the place of the record where it throws. */
function asked<T>(name: string, where: string, run: () => T): T {
  try {
    return run()
  } catch (cause) {
    const reason = cause instanceof Error ? cause.message : String(cause)
    throw new IftError(
      'IFT_PLUGIN_FAILED',
      `${where}: the dataset ${name} failed on this record: ${reason}`,
      'Delete the record, or report it to the author of the package.',
      { cause },
    )
  }
}

const summary = (reasons: ReadonlyMap<string, number>): string =>
  [...reasons].map(([reason, count]) => `${count} ${reason}`).join(', ')

/**
 * Examples of a dataset. A record that gives none is told to `context.dropped`; a file of which no record gives one is
 * IFT_DATA_RECORD: it is not what the dataset is made of.
 */
async function* load(name: string, part: Part, context: DatasetContext): AsyncGenerator<Example> {
  const { encoding, header, quotes, keep } = part
  for (const { path, read, isConverted } of await findFiles(name, part, context)) {
    const file = basename(path)
    const recordContext = (number: number): RecordContext => ({
      file,
      random: (purpose) => new DataRandom(name, context.seed, file, number, purpose),
    })
    const options: ReadOptions = isConverted
      ? {}
      : {
          ...(encoding === undefined ? {} : { encoding }),
          ...(header === undefined ? {} : { header }),
          ...(quotes === undefined ? {} : { quotes }),
        }
    // An object alone in its file may be a record, or hold all of them.
    const isExample = (record: unknown) =>
      !isDropped(asked(name, path, () => examplesOf(read(record, recordContext(0)))))
    let number = 0
    let given = 0
    const reasons = new Map<string, number>()
    let first: { readonly where: string; readonly fields: string } | undefined
    for await (const { record, where } of readRecords(path, { ...options, isExample })) {
      if (!isConverted && keep && !asked(name, where, () => keep(record))) continue
      const made = asked(name, where, () => examplesOf(read(record, recordContext(number++))))
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
    if (given === 0 && first)
      throw new IftError(
        'IFT_DATA_RECORD',
        `${first.where}: no record of the file gives an example of ${name} (${summary(reasons)}); the fields of the first are ${first.fields}.`,
        `Check that it is the file that the dataset is made of, or name it as a file of its own: data: { path: ${JSON.stringify(path)} }.`,
      )
  }
}

/** A dataset of what is known of it and a part of a collection. */
export const collectionDataset = (facts: Omit<DatasetDefinition, 'load'>, part: Part): DatasetDefinition => ({
  ...facts,
  load: (context) => load(facts.name, part, context),
})
