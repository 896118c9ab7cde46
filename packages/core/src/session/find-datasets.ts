import { existsSync } from 'node:fs'
import { realpath, stat } from 'node:fs/promises'
import { join } from 'node:path'
import { IftError } from '@ift/tensor'
import type { DatasetContext } from '../contract/dataset.js'
import { amountOf } from '../config/amount.js'
import { strictObject } from '../config/options.js'
import type { DataEntry, DataSource } from '../config/schema.js'
import { check } from '../config/validate.js'
import { turnsOf, type TurnPolicy } from '../data/answer-turns.js'
import { hashFiles, locateExamples, readExamples } from '../data/build.js'
import { compositeNames, expandComposite } from '../data/composites.js'
import { convertedFile } from '../data/converted-files.js'
import { LineRows } from '../data/line-rows.js'
import type { Portion } from '../data/mixture/index.js'
import { fileOf, LineIndex } from '../data/read/index.js'
import { localPath } from '../files/paths.js'
import { packageFor } from '../plugin/catalogue.js'
import type { PluginSession } from '../plugin/plugin-session.js'
import { AskedFiles } from './asked-files.js'
import { cachePath } from './cache.js'
import type { DataFacts } from './data-facts.js'
import { infoFile, type FileSource } from './dataset-info.js'
import { fileOfSplit, withoutSplits } from './dataset-split.js'
import type { FoundExamples } from './evaluations.js'
import { fileSources, findRecords, locateDataset, sourcesOf, type RecordSource } from './record-source.js'
import { uncapped } from './uncapped.js'

/** A dataset with its examples and a cache key of their source (null when there is none). */
export interface Found extends FoundExamples {
  /** What is known of a dataset of a package; null of files. */
  readonly facts: DataFacts | null
  /** Number of its entry in the config; a composite has several datasets. */
  readonly entry: number
  readonly portion: Portion
  /** Whether the entry says how much is taken of it. */
  readonly capped: boolean
  /** Whether it may have more records than a mixture takes without a cap, so that they are counted first. */
  readonly large: boolean
  /** Files of the folder that their names mark as held out, when no split is set. */
  readonly leftOut: readonly string[]
}

/**
 * The original's converted file in place of a dataset, where its folder `data` holds one: of a composite the one file of all parts, or
 * those of the parts. Who has it there wants it, also where a package could fetch the set.
 */
export function withConverted(session: PluginSession, source: FileSource): readonly FileSource[] {
  const { name, path } = source
  if (name === undefined) return [source]
  if (path !== undefined) return expandComposite(name).map((part) => ({ ...source, name: part }))
  const converted = (part: string): FileSource | null => {
    const file = convertedFile(part)
    // They hold what is trained on, as it is: a split and options are a package's.
    const isPackages = source.split !== undefined || source.options !== undefined
    if (isPackages || file === undefined || !existsSync(join(session.rootDir, file))) return null
    const { name: _, ...rest } = source
    return { ...rest, path: file, format: 'alpaca' }
  }
  const parts = expandComposite(name)
  const whole = converted(name)
  return whole ? [whole] : parts.map((part) => converted(part) ?? { ...source, name: part })
}

const portionOf = ({ weight, share, cap, tokens }: DataSource): Portion => ({
  weight,
  share,
  cap: cap === undefined ? undefined : amountOf(cap),
  tokens: tokens === undefined ? undefined : amountOf(tokens),
})

/** Bytes from which files may hold more records than a mixture takes without a cap; packed ones hold more in a byte. */
const largeBytes = 64 * 2 ** 20
const largePackedBytes = 8 * 2 ** 20

async function areLarge(files: readonly string[]): Promise<boolean> {
  let [plain, packed] = [0, 0]
  for (const file of new Set(files.map((name) => fileOf(name).file))) {
    const size = (await stat(file).catch(() => null))?.size ?? 0
    if (/\.(gz|tgz|bz2|xz|zst|zip|parquet)$/i.test(file)) packed += size
    else plain += size
  }
  return plain > largeBytes || packed > largePackedBytes
}

/** One error for all datasets whose packages are to be installed, where there are several: `select` may take many. */
export function refuseAbsent(session: PluginSession, sources: readonly FileSource[]): void {
  const names = new Set(
    sources.flatMap(({ name }) => (name === undefined || session.provides('dataset', name) ? [] : [name])),
  )
  const packages = new Map([...names].map((name) => [name, packageFor('dataset', name, session.catalogue())]))
  const known = [...new Set(packages.values())]
  // A name that nobody knows has an error of its own.
  if (known.length < 2 || known.includes(undefined)) return
  throw new IftError(
    'IFT_PLUGIN_NOT_FOUND',
    `The packages of ${names.size} datasets are not installed: ${[...names].join(', ')}.`,
    `npm install ${known.join(' ')}`,
  )
}

export interface FindOptions {
  /** What is looked for where an entry names no split; training when omitted. */
  readonly purpose?: 'training' | 'validation'
  /** Told of each file on this machine that is read, before it is: of a dataset package while its examples are read. */
  readonly onFile?: (file: string) => Promise<unknown>
}

/** Finds every dataset that entries name; composites become what they contain. */
export async function findDatasets(
  session: PluginSession,
  entries: DataEntry | DataEntry[],
  seed: number,
  { purpose = 'training', onFile = () => Promise.resolve() }: FindOptions = {},
): Promise<Found[]> {
  const { rootDir } = session
  const found: Found[] = []
  for (const { path } of sourcesOf(entries)) {
    const list = path === undefined ? null : await infoFile(rootDir, path)
    if (list !== null) await onFile(list)
  }
  const sources = (await fileSources(rootDir, entries)).flatMap((one, entry) =>
    withConverted(session, one).map((source) => ({ source, entry })),
  )
  refuseAbsent(
    session,
    sources.map(({ source }) => source),
  )
  for (const { source, entry } of sources) {
    const { name, path, limit, split = 'train', options, turns = 'whole' } = source
    if (name !== undefined && split === 'all')
      throw new IftError(
        'IFT_CONFIG_INVALID',
        `split: all beside name: ${name}: expected one split, found all of them.`,
        `Name each in an entry of its own: [{ name: "${name}" }, { name: "${name}", split: "test" }]`,
      )
    const portion = portionOf(source)
    const capped = limit !== undefined || Object.values(portion).some((value) => value !== undefined)
    if (name === undefined) {
      if (path === undefined)
        throw new IftError(
          'IFT_CONFIG_INVALID',
          'An entry of data names neither a dataset nor a path.',
          'Set name: or path:.',
        )
      if (options !== undefined)
        throw new IftError(
          'IFT_CONFIG_INVALID',
          `The entry of data ${JSON.stringify(path)} has options, which the datasets of packages take.`,
          'Set name: too, or leave out options.',
        )
      const {
        path: place,
        files,
        leftOut,
        options: reading,
      } = await findRecords(rootDir, { ...source, path }, purpose)
      // Files that are left out lie in the folder all the same.
      for (const file of new Set([...files, ...leftOut].map((one) => fileOf(one).file))) await onFile(file)
      // A record that gives several examples, or none, is no row.
      const isLines =
        turns === 'whole' && files.length > 0 && files.every((file) => LineIndex.isFor(file, reading))
      const indexes = new Map(isLines ? files.map((file) => [file, new LineIndex(file)]) : [])
      const sha256 = await hashFiles(files, (file) => indexes.get(file) ?? null)
      const indexed = [...indexes].map(([name, index]) => ({ name, index }))
      found.push({
        name: path,
        ...{ entry, portion, capped, leftOut, facts: null },
        places: await Promise.all(files.map(placeOf)),
        large: await areLarge(files),
        examples: () => turnsOf(readExamples(place, reading), turns),
        key: JSON.stringify([sha256, reading, ...turnsKey(turns)]),
        keyWhenRead: null,
        dropped: new Map(),
        lines: isLines && indexed.every(({ index }) => index.isUtf8) ? new LineRows(indexed, reading) : null,
      })
      continue
    }
    if (!session.provides('dataset', name))
      throw session.notFound('dataset', name, [...session.hooks.dataset.names(), ...compositeNames])
    const definition = await session.dataset(name)
    const dropped = new Map<string, number>()
    let isOfSplit = split === 'train'
    const chosen = check(
      definition.options ?? strictObject({}),
      options ?? {},
      `What data sets for ${name}`,
      'options',
    )
    const locate = async (asked: string, hub = definition.hub, { everySplit = false } = {}) => {
      const wanted = everySplit ? asked : fileOfSplit(name, asked, split)
      // Without a folder and a hub id: beside the config.
      const base = await locateDataset(rootDir, path ?? hub ?? `./${wanted}`, [wanted])
      const file = base.endsWith(wanted) ? base : await locateDataset(rootDir, join(base, wanted))
      await onFile(file)
      return file
    }
    const choice = [name, split, path ?? null, limit ?? null, chosen, seed, ...turnsKey(turns)]
    const files = await AskedFiles.of(cachePath(rootDir), session.originOf('dataset', name), choice, locate)
    const context: DatasetContext = {
      rootDir,
      seed,
      ...(split === 'train' ? {} : { split }),
      options: chosen,
      file: (asked, hub, how) => {
        isOfSplit = true
        return files.file(asked, hub, how)
      },
      dropped: (reason) => void dropped.set(reason, (dropped.get(reason) ?? 0) + 1),
    }
    found.push({
      name,
      ...{ entry, portion, capped },
      places: [placeOfSplit(name, path === undefined ? null : localPath(rootDir, path), split)],
      large: (definition.size?.count ?? 0) > uncapped.most,
      leftOut: [],
      facts: definition,
      examples: () =>
        turnsOf(
          checked(locateExamples(name, definition.load(context), limit), () => {
            if (!isOfSplit) throw withoutSplits(name, split)
          }),
          turns,
        ),
      key: await files.known(),
      keyWhenRead: () => files.remember(),
      dropped,
    })
  }
  return found
}

/** What turns add to the key of samples: nothing where conversations stay whole, as before there was a choice. */
const turnsKey = (turns: TurnPolicy) => (turns === 'whole' ? [] : [{ turns }])

/** A file as itself, whatever names lead to it. */
async function placeOf(name: string): Promise<string> {
  const { file, entry } = fileOf(name)
  const path = await realpath(file).catch(() => file)
  return entry === null ? path : `${path}!${entry}`
}

const placeOfSplit = (name: string, path: string | null, split: string) =>
  `${name}:${split}${path === null ? '' : ` in ${path}`}`

/** The examples, after a check that needs the first of them, or their end. */
async function* checked<T>(examples: AsyncIterable<T>, check: () => void): AsyncGenerator<T> {
  for await (const example of examples) {
    check()
    yield example
  }
  check()
}

/** The files of records that `data` names; datasets of packages have none of their own. */
export const recordSources = async (
  session: PluginSession,
  entries: DataEntry | DataEntry[],
): Promise<RecordSource[]> =>
  Promise.all(
    (await fileSources(session.rootDir, entries))
      .flatMap((one) => withConverted(session, one))
      .flatMap((source) =>
        source.path === undefined || source.name !== undefined
          ? []
          : [findRecords(session.rootDir, { ...source, path: source.path })],
      ),
  )
