import { createHash } from 'node:crypto'
import { existsSync } from 'node:fs'
import { realpath, stat } from 'node:fs/promises'
import { join } from 'node:path'
import { IftError } from '@ift/tensor'
import type { DatasetContext } from '../contract/dataset.js'
import type { VirtualLength } from '../contract/peft.js'
import { amountOf } from '../config/amount.js'
import type { DataEntry, DataSource, ResolvedConfig } from '../config/schema.js'
import {
  buildSampleStore,
  cacheKey,
  hashFiles,
  locateExamples,
  readExamples,
  type BuildOptions,
} from '../data/build.js'
import { compositeNames, expandComposite } from '../data/composites.js'
import { convertedFile } from '../data/converted-files.js'
import type { Examination } from '../data/duplicates/index.js'
import {
  mixSamples,
  mixtureTable,
  whyEmpty,
  type Mixture,
  type MixtureRow,
  type Portion,
  type SampleView,
} from '../data/mixture/index.js'
import { createPacker } from '../data/pack.js'
import type { SampleStore } from '../data/store.js'
import { fileOf } from '../data/read/index.js'
import { localPath } from '../files/paths.js'
import { tapped } from '../plugin/hooks.js'
import type { PluginSession } from '../plugin/plugin-session.js'
import { fileOfSplit, withoutSplits } from './dataset-split.js'
import type { FoundExamples } from './evaluations.js'
import { withoutRepeats } from './without-repeats.js'
import type { OpenModel } from './open-model.js'
import { infoFile, type FileSource } from './dataset-info.js'
import { fileSources, findRecords, locateDataset, sourcesOf, type RecordSource } from './record-source.js'
import { checkBound, tooManyRecords, uncapped, underBound } from './uncapped.js'
import { noVirtualTokens, sampleLimit, type SampleLimit } from '../data/virtual-tokens.js'

/** One dataset of a run, tokenised. */
export interface RunDataset {
  readonly name: string
  readonly store: SampleStore
  /** Files of its folder that are not read because their names mark a held-out split. */
  readonly leftOut: readonly string[]
  /** Records of a dataset package that gave no example, by reason. */
  readonly dropped: Readonly<Record<string, number>>
}

/** Tokenised samples of a run. */
export interface RunData {
  readonly train: SampleView
  readonly validation: SampleView | null
  readonly datasets: readonly RunDataset[]
  /** Samples that `dedup` took out by their tokens. */
  readonly duplicates: number
  /** What the run takes of each dataset. */
  readonly mixture: readonly MixtureRow[]
  /** What `dedup` and `decontaminate` found in the texts; null when they ask for nothing that needs them. */
  readonly examination: Examination | null
  /** The most tokens of a sample, and the limit that decides. */
  readonly limit: SampleLimit
  /** Tokens of the longest sample, of those held out too. */
  readonly longest: number
  /** sha256 of everything that decides the samples and their order in the data. */
  readonly hash: string
  /** Notes that stop nothing: a cache that cannot be written. */
  readonly notes: readonly string[]
}

/** A dataset with its examples and a cache key of their source (null when there is none). */
interface Found extends FoundExamples {
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
 * The original's converted file in place of a dataset whose package is not installed: of a composite the one file of all parts, or
 * those of the parts.
 */
function withConverted(session: PluginSession, source: FileSource): readonly FileSource[] {
  const { name, path } = source
  if (name === undefined) return [source]
  if (path !== undefined) return expandComposite(name).map((part) => ({ ...source, name: part }))
  const absent = (part: string) => !session.provides('dataset', part)
  const converted = (part: string): FileSource | null => {
    const file = convertedFile(part)
    // They hold what is trained on.
    if (
      source.split !== undefined ||
      file === undefined ||
      !absent(part) ||
      !existsSync(join(session.rootDir, file))
    )
      return null
    const { name: _, ...rest } = source
    return { ...rest, path: file, format: 'alpaca' }
  }
  const parts = expandComposite(name)
  const whole = parts.some(absent) ? converted(name) : null
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
  for (const { source, entry } of sources) {
    const { name, path, limit, split = 'train' } = source
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
      const {
        path: place,
        files,
        leftOut,
        options,
      } = await findRecords(rootDir, { ...source, path }, purpose)
      // Files that are left out lie in the folder all the same.
      for (const file of new Set([...files, ...leftOut].map((one) => fileOf(one).file))) await onFile(file)
      found.push({
        name: path,
        ...{ entry, portion, capped, leftOut },
        places: await Promise.all(files.map(placeOf)),
        large: await areLarge(files),
        examples: () => readExamples(place, options),
        key: JSON.stringify([await hashFiles(files), options]),
        dropped: new Map(),
      })
      continue
    }
    if (!session.provides('dataset', name))
      throw session.notFound('dataset', name, [...session.hooks.dataset.names(), ...compositeNames])
    const definition = await session.dataset(name)
    const dropped = new Map<string, number>()
    let isOfSplit = split === 'train'
    const context: DatasetContext = {
      rootDir,
      seed,
      file: async (asked, hub = definition.hub) => {
        isOfSplit = true
        const wanted = fileOfSplit(name, asked, split)
        // Without a folder and a hub id: beside the config.
        const base = await locateDataset(rootDir, path ?? hub ?? `./${wanted}`, [wanted])
        const file = base.endsWith(wanted) ? base : await locateDataset(rootDir, join(base, wanted))
        await onFile(file)
        return file
      },
      dropped: (reason) => void dropped.set(reason, (dropped.get(reason) ?? 0) + 1),
    }
    found.push({
      name,
      ...{ entry, portion, capped },
      places: [placeOfSplit(name, path === undefined ? null : localPath(rootDir, path), split)],
      large: (definition.size?.count ?? 0) > uncapped.most,
      leftOut: [],
      examples: () =>
        checked(locateExamples(name, definition.load(context), limit), () => {
          if (!isOfSplit) throw withoutSplits(name, split)
        }),
      key: null,
      dropped,
    })
  }
  return found
}

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

export interface OpenDataOptions {
  /** Whether samples are kept in the cache for the next time; yes when omitted. */
  readonly keep?: boolean
  /** What stands in front of every sample; nothing when omitted. */
  readonly virtual?: VirtualLength
}

/** Loads, renders, tokenises and mixes the data of a config. */
export async function openData(
  session: PluginSession,
  config: ResolvedConfig,
  open: Pick<OpenModel, 'tokenizer' | 'template' | 'shape'>,
  { keep = true, virtual = noVirtualTokens }: OpenDataOptions = {},
): Promise<RunData> {
  const notes = new Set<string>()
  const { hooks, rootDir } = session
  const { seed } = config.train
  const limit = sampleLimit(virtual, open.shape, config.maxLength)
  // Plugins that rewrite examples or samples are not part of the key: nothing is cached then.
  const cacheable = !tapped(hooks.example) && !tapped(hooks.sample)
  // A cache saves time, and nothing depends on it.
  const onFailure = ({ message }: Error) => notes.add(`Not kept for the next time: ${message}`)
  const build = async (
    { name, examples, key, leftOut, dropped, large }: Found,
    bounded: boolean,
  ): Promise<RunDataset> => {
    const context = { dataset: name }
    const options: BuildOptions = {
      template: open.template,
      tokenizer: open.tokenizer,
      maxLength: limit.tokens,
      trainOn: config.trainOn,
      truncation: config.truncation,
      ...(tapped(hooks.example) ? { onExample: (example) => hooks.example.call(example, context) } : {}),
      ...(tapped(hooks.sample) ? { onSample: (sample) => hooks.sample.call(sample, context) } : {}),
      ...(cacheable && key !== null
        ? { cache: { dir: join(rootDir, '.ift-cache'), key, keep, onFailure } }
        : {}),
    }
    const bound = { name, ...uncapped }
    const { cache } = options
    const kept = cache && existsSync(join(cache.dir, `${cacheKey(cache.key, options)}.samples`))
    if (bounded && large && !kept) {
      // Tokenising a million records takes far longer than reading them.
      await checkBound(examples(), bound)
      dropped.clear()
    }
    const store = await buildSampleStore(bounded ? underBound(examples(), bound) : examples(), options)
    // Where it stood alone, or with a cap, the same set was tokenised and kept.
    if (bounded && store.counts.examples > bound.most) throw tooManyRecords(bound, store.counts.examples)
    const reasons = [...dropped].map(([reason, count]) => `${count.toLocaleString('en')} × ${reason}`)
    if (reasons.length > 0) notes.add(`${name}: records that gave no example: ${reasons.join(', ')}.`)
    return { name, leftOut, store, dropped: Object.fromEntries(dropped) }
  }
  const buildAll = async (found: readonly Found[], isMixed: boolean) => {
    const built: (RunDataset & Pick<Found, 'entry' | 'portion'>)[] = []
    for (const one of found)
      built.push({ ...(await build(one, isMixed && !one.capped)), entry: one.entry, portion: one.portion })
    return built
  }
  const kept = await withoutRepeats(
    config,
    await findDatasets(session, config.data, seed),
    (entries) => findDatasets(session, entries, seed, { purpose: 'validation' }),
    { dir: join(rootDir, '.ift-cache'), keep, onFailure },
  )
  for (const note of kept.notes) notes.add(note)
  const { found } = kept
  // One set that stands alone is taken as it is, however large.
  const isMixed = found.some(({ entry }) => entry !== found[0]!.entry)
  const datasets = await buildAll(found, isMixed)
  const part = ({ name, store, dropped, entry, portion }: (typeof datasets)[number]) => ({
    ...portion,
    ...{ name, samples: store, entry, dropped: droppedOf({ store, dropped }) },
  })
  const own = config.validation.data
  const parts = datasets.map((one, i) => ({ ...part(one), leftOut: kept.leftOut[i]! }))
  const mixed = mixSamples(parts, {
    dedup: config.dedup !== false,
    order: config.mix,
    seed: config.validation.seed,
    validation: { size: own === undefined ? config.validation.size : 0, seed: config.validation.seed },
  })
  if (parts.length > 1)
    for (const [i, { name, dropped, leftOut }] of parts.entries()) {
      const counts = mixed.counts[i]!
      if (counts.rows === 0)
        notes.add(`${name}: nothing to train on: ${whyEmpty([{ dropped, leftOut, ...counts }])}.`)
    }
  const held =
    own === undefined
      ? mixed.validation
      : mixSamples(
          (await buildAll(await findDatasets(session, own, seed, { purpose: 'validation' }), false)).map(
            part,
          ),
          {
            dedup: false,
            order: 'sequential',
            seed,
            validation: { size: 0, seed },
          },
        ).train
  if (own !== undefined && held.count === 0)
    throw new IftError(
      'IFT_DATA_EMPTY',
      'validation.data has no sample to evaluate on.',
      'Look at what was dropped: npx ift data validate. Or leave out validation.data.',
    )
  return {
    train: mixed.train,
    validation: held.count ? held : null,
    datasets,
    duplicates: mixed.counts.reduce((sum, { duplicates }) => sum + duplicates, 0),
    mixture: tableOf(mixed, datasets, config),
    examination: kept.report,
    limit,
    longest: [mixed.train, held].reduce((most, samples) => Math.max(most, longestOf(samples)), 0),
    hash: hashOf([mixed.train, held]),
    notes: [...notes],
  }
}

/** Records that became no sample. */
const droppedOf = ({ store: { counts }, dropped }: Pick<RunDataset, 'store' | 'dropped'>): number =>
  [counts.long, counts.untrained, counts.filtered, ...Object.values(dropped)].reduce(
    (sum, count) => sum + count,
    0,
  )

/** The table of a run's mixture, over all of its steps. */
function tableOf(mixture: Mixture, datasets: readonly RunDataset[], { train }: ResolvedConfig): MixtureRow[] {
  const { seed, shuffle, epochs, batchSize, tokensPerStep } = train
  const sets = datasets.map((one) => ({ name: one.name, dropped: droppedOf(one) }))
  const step = tokensPerStep === undefined ? { samplesPerStep: batchSize } : { tokensPerStep }
  const packer =
    mixture.train.count === 0
      ? null
      : createPacker(mixture.train, { seed, shuffle, microBatchTokens: Infinity, ...step })
  const end = packer?.endOf(train.maxSteps ?? packer.steps(epochs)) ?? { epoch: 0, position: 0 }
  return mixtureTable(mixture, sets, end, shuffle ? seed : null)
}

function longestOf(samples: SampleView): number {
  let longest = 0
  for (let i = 0; i < samples.count; i++) longest = Math.max(longest, samples.length(i))
  return longest
}

/** sha256 of the samples in the order of a first epoch that is not shuffled, and of those that only later epochs take. */
function hashOf(views: readonly SampleView[]): string {
  const hash = createHash('sha256')
  const add = (samples: SampleView, index: number) => {
    const { ids, labels } = samples.sample(index)
    hash.update(new Uint8Array(ids.buffer, ids.byteOffset, ids.byteLength))
    hash.update(new Uint8Array(labels.buffer, labels.byteOffset, labels.byteLength))
  }
  for (const samples of views) {
    const order = samples.order(0, null)
    for (const index of order) add(samples, index)
    hash.update(String(order.length))
    if (samples.whole) continue
    const isTaken = new Uint8Array(samples.count)
    for (const index of order) isTaken[index] = 1
    for (let i = 0; i < samples.count; i++) if (isTaken[i] === 0) add(samples, i)
    hash.update(String(samples.count))
  }
  return hash.digest('hex')
}
