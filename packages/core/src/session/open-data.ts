import { existsSync } from 'node:fs'
import { IftError } from '@ift/tensor'
import type { VirtualLength } from '../contract/peft.js'
import type { ResolvedConfig } from '../config/schema.js'
import { buildSampleStore, samplesPath, type BuildOptions } from '../data/build.js'
import type { Examination } from '../data/duplicates/index.js'
import {
  mixSamples,
  mixtureTable,
  whyEmpty,
  type Mixture,
  type MixturePart,
  type MixtureRow,
  type SampleView,
} from '../data/mixture/index.js'
import { compositeNotes } from '../data/composites.js'
import { createPacker } from '../data/pack.js'
import { pruneCache, RowSamples, type SampleSource, type SampleStore } from '../data/store/index.js'
import { tapped } from '../plugin/hooks.js'
import type { PluginSession } from '../plugin/plugin-session.js'
import { cacheLimits, cachePath } from './cache.js'
import { dataHash, isHashOf } from './data-hash.js'
import type { DataFacts } from './data-facts.js'
import { findDatasets, type Found } from './find-datasets.js'
import { sourcesOf } from './record-source.js'
import {
  countRows,
  epochsMissing,
  epochsOf,
  rowsOf,
  stepsOf,
  takenOf,
  takesByRow,
  unread,
} from './taken-rows.js'
import { withoutRepeats } from './without-repeats.js'
import type { OpenModel } from './open-model.js'
import { bounded, uncapped } from './uncapped.js'
import { noVirtualTokens, sampleLimit, type SampleLimit } from '../data/virtual-tokens.js'

/** One dataset of a run, tokenised. */
export interface RunDataset {
  readonly name: string
  /** What is known of a dataset of a package; null of files. */
  readonly facts: DataFacts | null
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
  /** Whether a recorded hash is of these samples, also one of an earlier version. */
  readonly isHash: (recorded: string) => boolean
  /** Notes that stop nothing: a cache that cannot be written. */
  readonly notes: readonly string[]
  /** Closes the files of the samples. */
  release(): void
}

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
  options: OpenDataOptions = {},
): Promise<RunData> {
  const stores: SampleStore[] = []
  const release = () => {
    for (const store of stores) store.close()
  }
  try {
    return { ...(await openStores(stores, session, config, open, options)), release }
  } catch (error) {
    release()
    throw error
  }
}

/** `stores` takes every store that is opened. */
async function openStores(
  stores: SampleStore[],
  session: PluginSession,
  config: ResolvedConfig,
  open: Pick<OpenModel, 'tokenizer' | 'template' | 'shape'>,
  { keep = true, virtual = noVirtualTokens }: OpenDataOptions,
): Promise<Omit<RunData, 'release'>> {
  const notes = new Set([...session.configNotes, ...compositeNotes(sourcesOf(config.data))])
  const { hooks, rootDir } = session
  const dir = cachePath(rootDir)
  const { seed } = config.train
  const limit = sampleLimit(virtual, open.shape, config.maxLength)
  // Plugins that rewrite examples or samples are not part of the key: nothing is cached then.
  const cacheable = !tapped(hooks.example) && !tapped(hooks.sample)
  // A cache saves time, and nothing depends on it.
  const onFailure = ({ message }: Error) => notes.add(`Not kept for the next time: ${message}`)
  const build = async (
    { name, facts, examples, key, keyWhenRead, leftOut, dropped }: Found,
    before = (): Promise<unknown> => Promise.resolve(),
  ): Promise<RunDataset> => {
    const context = { dataset: name }
    const cacheKey = key ?? keyWhenRead
    const options: BuildOptions = {
      template: open.template,
      tokenizer: open.tokenizer,
      maxLength: limit.tokens,
      trainOn: config.trainOn,
      truncation: config.truncation,
      ...(tapped(hooks.example) ? { onExample: (example) => hooks.example.call(example, context) } : {}),
      ...(tapped(hooks.sample) ? { onSample: (sample) => hooks.sample.call(sample, context) } : {}),
      ...(cacheable && cacheKey !== null ? { cache: { dir, key: cacheKey, keep, onFailure } } : {}),
      dropped,
    }
    const isKept = options.cache && key !== null && existsSync(samplesPath(dir, key, options))
    if (!isKept) await before()
    const store = await buildSampleStore(examples(), options)
    stores.push(store)
    const reasons = Object.entries(store.dropped).map(
      ([reason, count]) => `${count.toLocaleString('en')} × ${reason}`,
    )
    if (reasons.length > 0) notes.add(`${name}: records that gave no example: ${reasons.join(', ')}.`)
    return { name, facts, leftOut, store, dropped: store.dropped }
  }
  const all = await findDatasets(session, config.data, seed)
  // One set that stands alone is taken as it is, however large.
  const isMixed = all.some(({ entry }) => entry !== all[0]!.entry)
  const sources = all.map((one) => bounded(one, isMixed && !one.capped ? uncapped : null))
  const kept = await withoutRepeats(
    config,
    sources.map(({ found }) => found),
    (entries) => findDatasets(session, entries, seed, { purpose: 'validation' }),
    {
      ...{ dir, keep, onFailure },
      before: async () => {
        for (const { checkFirst } of sources) await checkFirst()
      },
    },
  )
  for (const note of kept.notes) notes.add(note)
  const { found } = kept
  const own = config.validation.data
  const mix = (parts: readonly MixturePart[], epochs = Infinity) =>
    mixSamples(parts, {
      dedup: config.dedup !== false,
      order: config.mix,
      seed: config.validation.seed,
      validation: { size: own === undefined ? config.validation.size : 0, seed: config.validation.seed },
      epochs,
    })
  const openAll = async () => {
    const parts: OpenedPart[] = []
    for (const [i, one] of found.entries()) {
      const { checkFirst, checkCount } = sources[i]!
      // Where texts were compared, they were counted.
      const dataset = await build(one, kept.report ? undefined : checkFirst)
      const leftOut = kept.leftOut[i]!
      checkCount(dataset.store.counts.examples + leftOut)
      parts.push({ ...partOf(one, dataset), leftOut, dataset })
    }
    return { parts, mixed: mix(parts) }
  }
  const openTaken = async () => {
    const counts: number[] = []
    for (const [i, one] of found.entries()) {
      const count = await countRows(one, { dir, keep, onFailure })
      sources[i]!.checkCount(count + kept.leftOut[i]!)
      counts.push(count)
    }
    const leftOut = (i: number) => ({ leftOut: kept.leftOut[i]! })
    const planned = mix(
      found.map(({ name, entry, portion }, i) => ({
        ...portion,
        ...{ name, entry, samples: unread(counts[i]!) },
        ...leftOut(i),
      })),
    )
    for (let epochs = epochsOf(config.train, planned.train); ;) {
      const parts: OpenedPart[] = []
      const isHeldOut = planned.validation.takenIn(1)
      for (const [i, isTaken] of planned.train.takenIn(epochs).entries()) {
        for (let row = 0; row < isTaken.length; row++) isTaken[row]! |= isHeldOut[i]![row]!
        const dataset = await build(takenOf(found[i]!, isTaken))
        const samples = new RowSamples(dataset.store, isTaken.length, rowsOf(isTaken))
        parts.push({ ...partOf(found[i]!, dataset, samples), ...leftOut(i), dataset })
      }
      const mixed = mix(parts, epochs)
      const missing = epochsMissing(config.train, mixed.train, epochs)
      if (missing === 0) {
        for (const [i, { name, dataset }] of parts.entries())
          if (dataset.store.counts.examples < counts[i]!)
            notes.add(
              `${name}: the run takes ${dataset.store.counts.examples} of ${counts[i]} examples; the others are not tokenised.`,
            )
        return { parts, mixed }
      }
      epochs += missing
    }
  }
  const portions = found.map(({ portion }) => portion)
  const { parts, mixed } = await (takesByRow(config, portions) ? openTaken() : openAll())
  const datasets = parts.map(({ dataset }) => dataset)
  if (parts.length > 1)
    for (const [i, { name, dropped, leftOut }] of parts.entries()) {
      const counts = mixed.counts[i]!
      if (counts.rows === 0)
        notes.add(`${name}: nothing to train on: ${whyEmpty([{ dropped, leftOut, ...counts }])}.`)
    }
  let held = mixed.validation
  if (own !== undefined) {
    const heldParts: MixturePart[] = []
    for (const one of await findDatasets(session, own, seed, { purpose: 'validation' }))
      heldParts.push(partOf(one, await build(one)))
    const whole = { dedup: false, order: 'sequential', seed, validation: { size: 0, seed } } as const
    held = mixSamples(heldParts, whole).train
  }
  if (own !== undefined && held.size(0) === 0)
    throw new IftError(
      'IFT_DATA_EMPTY',
      'validation.data has no sample to evaluate on.',
      'Look at what was dropped: npx ift data validate. Or leave out validation.data.',
    )
  if (keep) await pruneCache(dir, cacheLimits(config))
  return {
    train: mixed.train,
    validation: held.size(0) > 0 ? held : null,
    datasets,
    duplicates: mixed.counts.reduce((sum, { duplicates }) => sum + duplicates, 0),
    mixture: tableOf(mixed, datasets, config),
    examination: kept.report,
    limit,
    longest: [mixed.train, held].reduce((most, samples) => Math.max(most, longestOf(samples)), 0),
    hash: dataHash([mixed.train, held]),
    isHash: (recorded) => isHashOf(recorded, [mixed.train, held]),
    notes: [...notes],
  }
}

type OpenedPart = MixturePart & { readonly dataset: RunDataset }

/** A set as a part of a mixture. */
const partOf = (
  { entry, portion }: Found,
  { name, store, dropped }: RunDataset,
  samples: SampleSource = store,
): MixturePart => ({
  ...portion,
  ...{ name, samples, entry, dropped: droppedOf({ store, dropped }) },
})

/** Records that became no sample. */
const droppedOf = ({ store: { counts }, dropped }: Pick<RunDataset, 'store' | 'dropped'>): number =>
  [counts.long, counts.untrained, counts.filtered, ...Object.values(dropped)].reduce(
    (sum, count) => sum + count,
    0,
  )

/** The table of a run's mixture, over all of its steps. */
function tableOf(mixture: Mixture, datasets: readonly RunDataset[], { train }: ResolvedConfig): MixtureRow[] {
  const { seed, shuffle, epochs } = train
  const sets = datasets.map((one) => ({ name: one.name, dropped: droppedOf(one) }))
  const packer = mixture.train.size(0) === 0 ? null : createPacker(mixture.train, stepsOf(train))
  const end = packer?.endOf(train.maxSteps ?? packer.steps(epochs)) ?? { epoch: 0, position: 0 }
  return mixtureTable(mixture, sets, end, shuffle ? seed : null)
}

function longestOf(samples: SampleView): number {
  let longest = 0
  for (let i = 0; i < samples.count; i++) longest = Math.max(longest, samples.length(i))
  return longest
}
