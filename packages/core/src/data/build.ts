import { createHash } from 'node:crypto'
import { IftError } from '@ift/tensor'
import type { PromptTemplate } from '../contract/template.js'
import type { Tokenizer } from '../contract/tokenizer.js'
import { encodeExamples, type EncodeOptions } from './encode.js'
import { isExampleRecord, recordConverter, type FormatOptions } from './format/index.js'
import { fileOf, readRecords, storedBytes, type ReadOptions } from './read/index.js'
import { SampleStore, SampleStoreBuilder, type StoreCounts } from './store.js'
import type { Example, Sample } from '../contract/data.js'

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

/** sha256 of data files, for manifests and cache keys; of entries of an archive, that of the archive and their names. */
export async function hashFiles(names: readonly string[]): Promise<string> {
  const hash = createHash('sha256')
  let path = ''
  let digest = Buffer.alloc(0)
  for (const name of names) {
    const { file, entry } = fileOf(name)
    if (file !== path) {
      const content = createHash('sha256')
      for await (const chunk of storedBytes(file)) content.update(chunk)
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
   * decides the examples (form, columns, limit, seed, hooks). Tokenizer, template and options are added here.
   */
  readonly cache?: {
    readonly dir: string
    readonly key: string
    /** Whether new samples are kept; yes when omitted. */
    readonly keep?: boolean
    /** Told that they cannot be kept; without it that is an error. */
    readonly onFailure?: (error: IftError) => unknown
  }
  /** Called now and then with the examples done. */
  readonly onProgress?: (examples: number) => void
}

/** Examples that are tokenised in one call. */
const batchExamples = 256

export const cacheKey = (key: string, options: BuildOptions): string =>
  createHash('sha256')
    .update(
      JSON.stringify([
        'samples-2',
        key,
        options.tokenizer.fingerprint,
        options.tokenizer.addBos,
        templateFingerprint(options.template),
        options.maxLength,
        options.trainOn,
        options.truncation,
      ]),
    )
    .digest('hex')
    .slice(0, 40)

const located = (where: string, cause: unknown): unknown =>
  cause instanceof IftError && !cause.message.startsWith(where)
    ? new IftError(cause.code, `${where}: ${cause.message}`, cause.hint, { cause })
    : cause

/**
 * Tokenises examples into a store; the same examples and options give the same store. Reading goes on while a batch is
 * tokenised. A whole store of the same key in the cache is taken instead, a broken one is made again.
 */
export async function buildSampleStore(
  examples: AsyncIterable<LocatedExample>,
  options: BuildOptions,
): Promise<SampleStore> {
  const { template, tokenizer, onExample, onSample, cache, onProgress } = options
  const key = cache && cacheKey(cache.key, options)
  if (cache) {
    const stored = await SampleStore.load(cache.dir, key!)
    if (stored) return stored
  }
  const builder = new SampleStoreBuilder()
  const counts = { examples: 0, truncated: 0, cutTokens: 0, long: 0, untrained: 0, filtered: 0 }

  const encodeBatch = async (batch: readonly LocatedExample[]) => {
    try {
      return await encodeExamples(
        batch.map(({ example }) => example),
        template,
        tokenizer,
        options,
      )
    } catch (cause) {
      // Find the example that the error is about.
      for (const { example, where } of batch)
        try {
          await encodeExamples([example], template, tokenizer, options)
        } catch (single) {
          throw located(where, single)
        }
      throw cause
    }
  }
  const take = async (pending: ReturnType<typeof encodeBatch>) => {
    for (const encoded of await pending) {
      if ('dropped' in encoded) {
        counts[encoded.dropped]++
        continue
      }
      const sample = onSample ? onSample(encoded.sample) : encoded.sample
      if (!sample) {
        counts.filtered++
        continue
      }
      if (encoded.cut > 0) {
        counts.truncated++
        counts.cutTokens += encoded.cut
      }
      builder.add(sample)
    }
    onProgress?.(counts.examples)
  }

  let batch: LocatedExample[] = []
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
    counts.examples++
    let example: Example | null
    try {
      example = onExample ? onExample(item.example) : item.example
    } catch (cause) {
      throw located(item.where, cause)
    }
    if (!example) {
      counts.filtered++
      continue
    }
    batch.push({ example, where: item.where })
    if (batch.length === batchExamples) await flush()
  }
  if (batch.length > 0) await flush()
  // The closure assigns it.
  const last = pending as ReturnType<typeof encodeBatch> | null
  if (last) await take(last)
  const store = builder.build(counts satisfies StoreCounts)
  if (cache && cache.keep !== false)
    try {
      await store.save(cache.dir, key!)
    } catch (error) {
      if (!cache.onFailure || !(error instanceof IftError)) throw error
      cache.onFailure(error)
    }
  return store
}
