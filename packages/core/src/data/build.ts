import { createHash } from 'node:crypto'
import { join } from 'node:path'
import { IftError } from '@ift/tensor'
import type { PromptTemplate } from '../contract/template.js'
import type { Tokenizer } from '../contract/tokenizer.js'
import { encodeExamples, type Encoded, type EncodeOptions } from './encode.js'
import { isExampleRecord, recordConverter, type FormatOptions } from './format/index.js'
import { fileOf, readRecords, storedBytes, type LineIndex, type ReadOptions } from './read/index.js'
import { alone, SampleStore, SampleStoreBuilder, type StoreCounts } from './store/index.js'
import type { Example, Sample } from '../contract/data.js'
import { version } from '../version.js'

/** An example and where it came from, for messages. */
export interface LocatedExample {
  readonly example: Example
  readonly where: string
  /** The record of the file as it was read; absent for examples that a plugin makes. */
  readonly record?: Readonly<Record<string, unknown>>
}

export interface SourceOptions extends FormatOptions, ReadOptions {
  /** Take at most this many. */
  readonly limit?: number
}

/** Examples of a data file or folder. */
export async function* readExamples(
  path: string,
  options: SourceOptions = {},
): AsyncGenerator<LocatedExample> {
  const { limit = Infinity } = options
  let convert = recordConverter(options)
  let file = ''
  let count = 0
  const isExample = (record: Readonly<Record<string, unknown>>) => isExampleRecord(record, options)
  for await (const raw of readRecords(path, { isExample, ...options })) {
    if (count >= limit) return
    // Every file of a folder is asked for its form anew.
    const at = raw.where.replace(/[:#]\d+$/, '')
    if (at !== file) {
      convert = recordConverter(options)
      file = at
    }
    let example: Example
    try {
      example = convert(raw)
    } catch (problem) {
      if (!options.onProblem || !(problem instanceof IftError)) throw problem
      options.onProblem(problem)
      continue
    }
    count++
    yield { example, where: raw.where, record: raw.record }
  }
}

/** Names examples of a dataset plugin by their number, and takes at most `limit`. */
export async function* locateExamples(
  name: string,
  examples: AsyncIterable<Example>,
  limit = Infinity,
): AsyncGenerator<LocatedExample> {
  let count = 0
  if (limit <= 0) return
  for await (const example of examples) {
    yield { example, where: `${name}#${++count}` }
    if (count >= limit) return
  }
}

/**
 * sha256 of data files, for manifests and cache keys; of entries of an archive, that of the archive and their names. `scanOf` gives, by its
 * name, what else looks at the bytes of a file as they pass by.
 */
export async function hashFiles(
  names: readonly string[],
  scanOf: (name: string) => Pick<LineIndex, 'add' | 'end'> | null = () => null,
): Promise<string> {
  const hash = createHash('sha256')
  let path = ''
  let digest = Buffer.alloc(0)
  for (const name of names) {
    const { file, entry } = fileOf(name)
    if (file !== path) {
      const content = createHash('sha256')
      const scan = scanOf(name)
      for await (const chunk of storedBytes(file)) {
        content.update(chunk)
        scan?.add(chunk)
      }
      scan?.end()
      ;[path, digest] = [file, content.digest()]
    }
    hash.update(digest)
    if (entry !== null) hash.update(JSON.stringify(entry))
  }
  return hash.digest('hex')
}

const probes = [
  { instruction: 'a', input: '', output: 'b' },
  { instruction: 'a', input: 'c', output: 'b' },
  { instruction: 'a', input: '', output: 'b', system: 's' },
  { instruction: 'a', input: '', output: 'b', history: [['d', 'e']] as const },
  {
    messages: [
      { role: 'user', content: 'a' },
      { role: 'assistant', content: 'b' },
    ] as const,
  },
]

/** sha256 over what a template makes of typical examples, and over its source where it has one. */
export function templateFingerprint(template: PromptTemplate): string {
  const rendered = probes.map((probe) => {
    try {
      return [template.render(probe, 'assistant'), template.render(probe, 'last')]
    } catch (cause) {
      return cause instanceof Error ? cause.message : String(cause)
    }
  })
  const source = 'source' in template ? template.source : null
  return createHash('sha256')
    .update(JSON.stringify([template.name, source, rendered]))
    .digest('hex')
}

export interface BuildOptions extends EncodeOptions {
  readonly template: PromptTemplate
  readonly tokenizer: Tokenizer
  /** Text level: rewrites an example, or drops it with null. */
  readonly onExample?: (example: Example) => Example | null
  /** Token level: masks or rewrites a sample, or drops it with null. */
  readonly onSample?: (sample: Sample) => Sample | null
  /**
   * Where finished samples are kept, and what their examples are: a hash of the data files and of everything else that
   * decides the examples (form, columns, limit, seed, hooks). Tokenizer, template and options are added here. A function gives
   * what is known only when the examples were read, or null.
   */
  readonly cache?: {
    readonly dir: string
    readonly key: string | (() => Promise<string | null>)
    /** Whether new samples are kept; yes when omitted. */
    readonly keep?: boolean
    /** Told that they cannot be kept; without it that is an error. */
    readonly onFailure?: (error: IftError) => unknown
  }
  /** Records that gave no example, by reason; filled while the examples are read, and kept with the samples. */
  readonly dropped?: ReadonlyMap<string, number>
  /** Called now and then with the examples done. */
  readonly onProgress?: (examples: number) => void
}

/** Examples that are tokenised in one call. */
export const batchExamples = 256

/** The file in which samples are kept. */
export const samplesPath = (dir: string, key: string, options: BuildOptions): string =>
  join(dir, `${cacheKey(key, options)}.samples`)

const cacheKey = (key: string, options: BuildOptions): string =>
  createHash('sha256')
    .update(
      JSON.stringify([
        'samples-2',
        // Another version may read or write texts differently.
        version,
        ...madeOf(key, options),
      ]),
    )
    .digest('hex')
    .slice(0, 40)

/** What decides the samples of examples, which `key` stands for. */
const madeOf = (key: string, options: MadeOptions) => [
  key,
  options.tokenizer.fingerprint,
  options.tokenizer.addBos,
  templateFingerprint(options.template),
  options.maxLength,
  options.trainOn,
  options.truncation,
]

type MadeOptions = EncodeOptions & Pick<BuildOptions, 'template' | 'tokenizer'>

/** sha256 of what decides the samples of examples, which is known before they are made. */
export const sourceDigest = (key: string, options: MadeOptions): string =>
  createHash('sha256')
    .update(JSON.stringify(['source-1', ...madeOf(key, options)]))
    .digest('hex')

const located = (where: string, cause: unknown): unknown =>
  cause instanceof IftError && !cause.message.startsWith(where)
    ? new IftError(cause.code, `${where}: ${cause.message}`, cause.hint, { cause })
    : cause

/**
 * Tokenises examples into a store; the same examples and options give the same store. Reading goes on while a batch is
 * tokenised. A whole store of the same key in the cache is taken instead, a broken one is made again. Of several processes that ask for
 * the same, one makes it. Whoever is given the store closes it.
 */
export async function buildSampleStore(
  examples: AsyncIterable<LocatedExample>,
  options: BuildOptions,
): Promise<SampleStore> {
  const { cache } = options
  if (!cache) return tokenise(examples, options)
  const { dir, key, keep = true } = cache
  if (typeof key !== 'string') return tokenise(examples, options)
  const path = samplesPath(dir, key, options)
  const stored = await SampleStore.open(path)
  if (stored) return stored
  if (!keep) return tokenise(examples, options)
  return alone(path, async () => (await SampleStore.open(path)) ?? tokenise(examples, options))
}

async function tokenise(
  examples: AsyncIterable<LocatedExample>,
  options: BuildOptions,
): Promise<SampleStore> {
  const { cache } = options
  const isKept = cache !== undefined && cache.keep !== false
  const builder = new SampleStoreBuilder(isKept ? { dir: cache.dir } : {})
  try {
    const counts = await encodeAll(examples, options, builder)
    const dropped = Object.fromEntries(options.dropped ?? [])
    if (isKept)
      try {
        const key = typeof cache.key === 'string' ? cache.key : await cache.key()
        if (key !== null) return await builder.keep(samplesPath(cache.dir, key, options), counts, dropped)
      } catch (error) {
        if (!cache.onFailure || !(error instanceof IftError)) throw error
        cache.onFailure(error)
      }
    return builder.build(counts, dropped)
  } catch (error) {
    await builder.discard()
    throw error
  }
}

/** Encodes examples; the error of one names its place. */
export async function encodeLocated(
  examples: readonly LocatedExample[],
  options: MadeOptions,
): Promise<Encoded[]> {
  const { template, tokenizer } = options
  const encode = (some: readonly LocatedExample[]) =>
    encodeExamples(
      some.map(({ example }) => example),
      template,
      tokenizer,
      options,
    )
  try {
    return await encode(examples)
  } catch (cause) {
    // Find the example that the error is about.
    for (const one of examples)
      try {
        await encode([one])
      } catch (single) {
        throw located(one.where, single)
      }
    throw cause
  }
}

type NumberedExample = LocatedExample & { readonly number: number }

async function encodeAll(
  examples: AsyncIterable<LocatedExample>,
  options: BuildOptions,
  builder: SampleStoreBuilder,
): Promise<StoreCounts> {
  const { onExample, onSample, onProgress } = options
  const counts = { examples: 0, truncated: 0, cutTokens: 0, long: 0, untrained: 0, filtered: 0 }

  const encodeBatch = async (batch: readonly NumberedExample[]) =>
    (await encodeLocated(batch, options)).map((one, i) => ({ ...one, number: batch[i]!.number }))
  const take = async (pending: ReturnType<typeof encodeBatch>) => {
    for (const encoded of await pending) {
      if ('dropped' in encoded) {
        counts[encoded.dropped]++
        builder.addWithout(encoded.number)
        continue
      }
      const sample = onSample ? onSample(encoded.sample) : encoded.sample
      if (!sample) {
        counts.filtered++
        builder.addWithout(encoded.number)
        continue
      }
      if (encoded.cut > 0) {
        counts.truncated++
        counts.cutTokens += encoded.cut
      }
      builder.add(sample)
    }
    await builder.flush()
    onProgress?.(counts.examples)
  }

  let batch: NumberedExample[] = []
  let pending: ReturnType<typeof encodeBatch> | null = null
  const flush = async () => {
    const previous = pending
    pending = encodeBatch(batch)
    // Its error is thrown when its turn comes.
    pending.catch(() => undefined)
    batch = []
    if (previous) await take(previous)
  }
  for await (const item of examples) {
    const number = counts.examples++
    let example: Example | null
    try {
      example = onExample ? onExample(item.example) : item.example
    } catch (cause) {
      throw located(item.where, cause)
    }
    if (!example) {
      counts.filtered++
      builder.addWithout(number)
      continue
    }
    batch.push({ example, where: item.where, number })
    if (batch.length === batchExamples) await flush()
  }
  if (batch.length > 0) await flush()
  // The closure assigns it.
  const last = pending as ReturnType<typeof encodeBatch> | null
  if (last) await take(last)
  return counts
}
