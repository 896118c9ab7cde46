import { existsSync } from 'node:fs'
import { IftError } from '@ift/tensor'
import type { VirtualLength } from '../contract/peft.js'
import type { ResolvedConfig } from '../config/schema.js'
import { buildSampleStore, samplesPath, sourceDigest, type BuildOptions } from '../data/build.js'
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
import { dataHash, isHashOf, mayBeByRows } from './data-hash.js'
import { fillingOf, whyWhole, type Filling } from './fill-rows.js'
import { findDatasets, type Found } from './find-datasets.js'
import { sourcesOf } from './record-source.js'
import {
  countRows,
  epochsMissing,
  epochsOf,
  isOrderedByRows,
  rowsOf,
  stepsOf,
  takenOf,
  takesAll,
  takesByRow,
  unread,
} from './taken-rows.js'
import { withoutRepeats } from './without-repeats.js'
import type { OpenModel } from './open-model.js'
import type { RunData, RunDataset } from './run-data.js'
import { bounded, uncapped } from './uncapped.js'
import { noVirtualTokens, sampleLimit } from '../data/virtual-tokens.js'

export interface OpenDataOptions {
  /** Whether samples are kept in the cache for the next time; yes when omitted. */
  readonly keep?: boolean
  /** What stands in front of every sample; nothing when omitted. */
  readonly virtual?: VirtualLength
  /** Whether the samples of large sets may be made while they are used; no when omitted. */
  readonly atOnce?: boolean
  /** The hash of the run that goes on; its samples have the order that they had when it began. */
  readonly recorded?: string | null
}

/** Loads, renders, tokenises and mixes the data of a config. */
export async function openData(
  session: PluginSession,
  config: ResolvedConfig,
  open: Pick<OpenModel, 'tokenizer' | 'template' | 'shape'>,
  options: OpenDataOptions = {},
): Promise<RunData> {
  const stores: Closable[] = []
  const release = () => {
    for (const store of stores) store.close()
  }
  try {
    return Object.assign(await openStores(stores, session, config, open, options), { release })
  } catch (error) {
    release()
    throw error
  }
}

interface Closable {
  close(): void
}

/** `stores` takes every store that is opened. */
async function openStores(
  stores: Closable[],
  session: PluginSession,
  config: ResolvedConfig,
  open: Pick<OpenModel, 'tokenizer' | 'template' | 'shape'>,
  { keep = true, virtual = noVirtualTokens, atOnce = false, recorded = null }: OpenDataOptions,
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
  const optionsOf = ({ name, key, keyWhenRead, dropped }: Found): BuildOptions => {
    const context = { dataset: name }
    const cacheKey = key ?? keyWhenRead
    return {
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
  }
  const build = async (
    one: Found,
    before = (): Promise<unknown> => Promise.resolve(),
  ): Promise<BuiltDataset> => {
    const { name, facts, examples, key, leftOut } = one
    const options = optionsOf(one)
    const isKept = options.cache && key !== null && existsSync(samplesPath(dir, key, options))
    if (!isKept) await before()
    const store = await buildSampleStore(examples(), options)
    stores.push(store)
    const reasons = Object.entries(store.dropped).map(
      ([reason, count]) => `${count.toLocaleString('en')} × ${reason}`,
    )
    if (reasons.length > 0) notes.add(`${name}: records that gave no example: ${reasons.join(', ')}.`)
    const { counts, dropped } = store
    return { name, facts, leftOut, store, counts, dropped }
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
  const portions = found.map(({ portion }) => portion)
  const byRows = mayBeByRows(recorded) && isOrderedByRows(config, portions)
  const fillings: Filling[] = []
  const mix = (parts: readonly MixturePart[], epochs = Infinity) =>
    mixSamples(parts, {
      byRows,
      dedup: config.dedup !== false,
      order: config.mix,
      seed: config.validation.seed,
      validation: { size: own === undefined ? config.validation.size : 0, seed: config.validation.seed },
      epochs,
    })
  const { startAtOnce } = config.train
  const mayBegin = atOnce && startAtOnce !== 'never'
  const startsAtOnce = ({ large }: Found) => mayBegin && (large || startAtOnce === 'always')
  /** Says why a run does not begin before a set is tokenised that takes long to be. */
  const noteWhole = (one: Found) => {
    const { cache } = optionsOf(one)
    const isKept = cache && one.key !== null && existsSync(samplesPath(dir, one.key, optionsOf(one)))
    if (!mayBegin || isKept || !one.large) return
    const why = whyWhole(config, portions, { plugin: !cacheable, isLines: Boolean(one.lines) })
    if (why !== null)
      notes.add(`Training begins when all examples of ${one.name} are tokenised, because ${why}.`)
  }
  const openAll = async () => {
    const parts: OpenedPart[] = []
    for (const [i, one] of found.entries()) {
      const { checkFirst, checkCount } = sources[i]!
      noteWhole(one)
      // Where texts were compared, they were counted.
      const dataset = await build(one, kept.report ? undefined : checkFirst)
      const leftOut = kept.leftOut[i]!
      checkCount(dataset.counts.examples + leftOut)
      parts.push({ ...partOf(one, dataset), leftOut, dataset })
    }
    return { parts, mixed: mix(parts) }
  }
  const noteTaken = (name: string, taken: number, count: number) =>
    notes.add(`${name}: the run takes ${taken} of ${count} examples; the others are not tokenised.`)
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
          if (dataset.counts.examples < counts[i]!) noteTaken(name, dataset.counts.examples, counts[i]!)
        return { parts, mixed }
      }
      epochs += missing
    }
  }
  /** Samples of the wanted rows of a set, by row, made before or now or later. */
  const openRows = async (
    i: number,
    count: number,
    isTaken: Uint8Array | null,
    made: BuiltDataset | undefined,
  ): Promise<OpenedPart> => {
    const one = isTaken === null ? found[i]! : takenOf(found[i]!, isTaken)
    const wanted = isTaken === null || one === found[i] ? null : rowsOf(isTaken)
    const options = optionsOf(one)
    const { cache } = options
    const { name, facts, leftOut, lines, key } = found[i]!
    const isLines = lines && cache !== undefined && key !== null
    const digest = isLines ? sourceDigest(key, options) : undefined
    if (isLines && startsAtOnce(found[i]!)) {
      const filling = fillingOf(found[i]!, { wanted, key: one.key! }, { ...options, cache })
      stores.push(filling.samples)
      if (!(await filling.samples.adopt(filling.path))) {
        fillings.push(filling)
        const { samples } = filling
        const dataset: RunDataset = {
          ...{ name, facts, leftOut, dropped: {} },
          get store() {
            return samples.store
          },
          get counts() {
            return samples.counts
          },
        }
        const { entry, portion } = found[i]!
        return { ...portion, name, samples, entry, leftOut: 0, dataset }
      }
    }
    if (!made) noteWhole(one)
    const dataset = made ?? (await build(one, kept.report ? undefined : sources[i]!.checkFirst))
    const samples = new RowSamples(dataset.store, count, wanted, digest)
    return { ...partOf(found[i]!, dataset, samples), leftOut: kept.leftOut[i]!, dataset }
  }
  const openByRows = async () => {
    const isAll = portions.every(takesAll)
    const counts: number[] = []
    const made = new Map<number, BuiltDataset>()
    for (const [i, one] of found.entries()) {
      const { checkFirst, checkCount } = sources[i]!
      let count = one.lines?.count
      if (count === undefined && isAll) {
        noteWhole(one)
        made.set(i, await build(one, kept.report ? undefined : checkFirst))
        count = made.get(i)!.counts.examples
      }
      count ??= await countRows(one, { dir, keep, onFailure })
      checkCount(count + kept.leftOut[i]!)
      counts.push(count)
    }
    let [epochs, taken]: [number, Uint8Array[] | null] = [Infinity, null]
    if (!isAll) {
      const planned = mix(
        found.map(({ name, entry, portion }, i) => ({
          ...portion,
          ...{ name, entry, samples: unread(counts[i]!), leftOut: kept.leftOut[i]! },
        })),
      )
      epochs = epochsOf(config.train, planned.train)
      const isHeldOut = planned.validation.takenIn(1)
      taken = planned.train
        .takenIn(epochs)
        .map((isTaken, i) => isTaken.map((one, row) => one | isHeldOut[i]![row]!))
    }
    const parts: OpenedPart[] = []
    for (const [i, count] of counts.entries()) {
      const isTaken = taken?.[i] ?? null
      parts.push(await openRows(i, count, isTaken, made.get(i)))
      const wanted = isTaken?.reduce((sum, one) => sum + one, 0) ?? count
      if (wanted < count) noteTaken(found[i]!.name, wanted, count)
    }
    return { parts, mixed: mix(parts, epochs) }
  }
  const { parts, mixed } = await (byRows
    ? openByRows()
    : takesByRow(config, portions)
      ? openTaken()
      : openAll())
  const datasets = parts.map(({ dataset }) => dataset)
  if (parts.length > 1)
    for (const [i, { name, dropped = 0, leftOut }] of parts.entries()) {
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
  let table: readonly MixtureRow[] | null = null
  return {
    train: mixed.train,
    validation: held.size(0) > 0 ? held : null,
    datasets,
    duplicates: mixed.counts.reduce((sum, { duplicates }) => sum + duplicates, 0),
    get mixture() {
      if (table !== null) return table
      const isMade = !mixed.train.isFilling
      // Of rows that were not known to give none, the numbers are other ones.
      const now = fillings.length > 0 && isMade ? mix(parts) : mixed
      const made = tableOf({ ...mixed, counts: now.counts }, parts, config)
      if (isMade) table = made
      return made
    },
    examination: kept.report,
    limit,
    longest:
      fillings.length > 0
        ? limit.tokens
        : [mixed.train, held].reduce((most, samples) => Math.max(most, longestOf(samples)), 0),
    hash: dataHash([mixed.train, held], byRows),
    sources: Object.fromEntries(parts.map(({ name, samples }) => [name, samples.sha256])),
    byRows,
    fillings,
    isHash: (of) => isHashOf(of, [mixed.train, held], byRows),
    notes: [...notes],
  }
}

type OpenedPart = MixturePart & { readonly dataset: RunDataset }
type BuiltDataset = RunDataset & { readonly store: SampleStore }

/** A set as a part of a mixture. */
const partOf = (
  { entry, portion }: Found,
  dataset: BuiltDataset,
  samples: SampleSource = dataset.store,
): MixturePart => ({
  ...portion,
  ...{ name: dataset.name, samples, entry, dropped: droppedOf(dataset) },
})

/** Records that became no sample. */
const droppedOf = ({ counts, dropped }: Pick<RunDataset, 'counts' | 'dropped'>): number =>
  [counts.long, counts.untrained, counts.filtered, ...Object.values(dropped)].reduce(
    (sum, count) => sum + count,
    0,
  )

/** The table of a run's mixture, over all of its steps. */
function tableOf(mixture: Mixture, parts: readonly OpenedPart[], { train }: ResolvedConfig): MixtureRow[] {
  const { seed, shuffle, epochs } = train
  const sets = parts.map(({ name, samples, dataset }) => ({
    name,
    dropped: samples.isFilling === true ? null : droppedOf(dataset),
  }))
  const packer = mixture.train.size(0) === 0 ? null : createPacker(mixture.train, stepsOf(train))
  const end = packer?.endOf(train.maxSteps ?? packer.steps(epochs)) ?? { epoch: 0, position: 0 }
  return mixtureTable(mixture, sets, end, shuffle ? seed : null)
}

function longestOf(samples: SampleView): number {
  let longest = 0
  for (let i = 0; i < samples.count; i++) longest = Math.max(longest, samples.length(i))
  return longest
}
