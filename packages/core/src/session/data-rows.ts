import { createHash } from 'node:crypto'
import { IftError } from '@ift/tensor'
import { isInstruction, isMessages, isText, type Example, type Sample } from '../contract/data.js'
import type { LocatedExample } from '../data/build.js'
import { encodeExamples, fitSample } from '../data/encode.js'
import { messageText, toMessages } from '../data/conversation.js'
import { withRecipe } from '../config/recipe.js'
import type { PluginSession } from '../plugin/plugin-session.js'
import type { ResolvedConfig } from '../config/schema.js'
import type { SampleView } from '../data/mixture/index.js'
import { findDatasets } from './find-datasets.js'
import type { ModelFiles } from './model-files.js'
import type { RunData } from './run-data.js'

/**
 * What became of a row that is not trained on as it is. `cut`: tokens of it are left out. `long`: left out, it would lose every answer.
 * `untrained`: nothing in it is learned. `duplicate`: left out, an earlier row has its tokens. `heldOut`: in the validation split. `filtered`:
 * left out by a plugin, by `dedup` or `decontaminate`, or because the mixture takes others. `unreadable`: no example could be made of the record, and the
 * rows behind it were not read.
 */
export type RowFate = 'cut' | 'long' | 'untrained' | 'duplicate' | 'heldOut' | 'filtered' | 'unreadable'

/** A row of the data, as far as it became a sample. */
export interface DataRow {
  /** Name of its set. */
  readonly source: string
  /** `file:line`, or the set and the number of the row in it. */
  readonly where: string
  /** Texts of the example, a line each; '' for token ids. */
  readonly text: string
  /** What is asked: the first line that a reader looks for. */
  readonly title: string
  /** The record of the file; null for examples that a package makes. */
  readonly record: Readonly<Record<string, unknown>> | null
  /** Tags of the example itself. */
  readonly meta: Readonly<Record<string, string>>
  /** Before anything was cut; empty for an unreadable one. */
  readonly sample: Sample
  /** Tokens of `sample` that are cut, from and to; null where none are. */
  readonly cut: readonly [from: number, to: number] | null
  readonly fates: readonly RowFate[]
  /** Whether it is trained on. */
  readonly isKept: boolean
  /** Why it is unreadable. */
  readonly problem: string | null
}

export interface DataRowsOptions {
  /** Rows that are read at most. */
  readonly most?: number
  readonly signal?: AbortSignal
}

/** Examples that are tokenised at a time. */
const atOnce = 64

const hashOf = ({ ids, labels }: Sample): string => {
  const hash = createHash('sha1')
  for (const { buffer, byteOffset, byteLength } of [ids, labels])
    hash.update(new Uint8Array(buffer, byteOffset, byteLength))
  return hash.digest('base64')
}

/** Hashes of the samples of a view. */
async function hashes(view: SampleView | null, signal: AbortSignal | undefined): Promise<Set<string>> {
  const found = new Set<string>()
  for (let i = 0; i < (view?.count ?? 0); i++) {
    if (view!.length(i) > 0) found.add(hashOf(view!.sample(i)))
    // Other requests are answered meanwhile.
    if (i % 1024 === 1023) await new Promise(setImmediate)
    signal?.throwIfAborted()
  }
  return found
}

function textsOf(example: Example): { readonly text: string; readonly title: string } {
  if (isText(example)) return { text: example.text, title: example.text.slice(0, 400) }
  if (!isInstruction(example) && !isMessages(example)) return { text: '', title: '' }
  const messages = toMessages(example)
  const asked = messages.findLast(({ role }) => role === 'user') ?? messages[0]
  return { text: messages.map(messageText).join('\n'), title: asked?.content.slice(0, 400) ?? '' }
}

/** The rows of the data of a config in their order, tokenised and compared with the samples that a run would have. */
export async function* dataRows(
  session: PluginSession,
  given: ResolvedConfig,
  files: ModelFiles & { readonly data: RunData },
  { most = Infinity, signal }: DataRowsOptions = {},
): AsyncGenerator<DataRow> {
  const { data, tokenizer, template, definition } = files
  const { config } = withRecipe(given, definition.recipe)
  const { truncation } = config
  const maxLength = data.limit.tokens
  const isSplit = config.validation.data === undefined && data.validation !== null
  const heldOut = isSplit ? await hashes(data.validation, signal) : new Set<string>()
  const trained = await hashes(data.train, signal)
  const seen = new Set<string>()
  let count = 0
  for (const { name, examples } of await findDatasets(session, config.data, config.train.seed)) {
    const rowsOf = async function* (located: readonly LocatedExample[]): AsyncGenerator<DataRow> {
      const changed = located.map(({ example }) => session.hooks.example.call(example, { dataset: name }))
      const present = changed.filter((example) => example !== null)
      const encoded = await encodeExamples(present, template, tokenizer, {
        ...{ maxLength: Infinity, trainOn: config.trainOn, truncation: 'right' },
      })
      let next = 0
      for (const [i, { example, where, record = null }] of located.entries()) {
        const found = changed[i] === null ? null : encoded[next++]!
        yield rowOf(found, { source: name, where, record, example: changed[i] ?? example })
      }
    }
    const rowOf = (
      found: Awaited<ReturnType<typeof encodeExamples>>[number] | null,
      facts: Pick<DataRow, 'source' | 'where' | 'record'> & { readonly example: Example },
    ): DataRow => {
      const { example, ...places } = facts
      const own = { ...places, ...textsOf(example), meta: ('meta' in example && example.meta) || {} }
      const none: Sample = { ids: new Int32Array(), labels: new Int32Array() }
      const row = (fates: readonly RowFate[], more: Partial<DataRow> = {}): DataRow => ({
        ...own,
        ...{ sample: none, cut: null, fates, isKept: false, problem: null },
        ...more,
      })
      if (found === null) return row(['filtered'])
      if ('dropped' in found) return row([found.dropped])
      const { sample } = found
      const fitted = fitSample(sample, tokenizer, { maxLength, trainOn: config.trainOn, truncation })
      if ('dropped' in fitted) return row([fitted.dropped], { sample, cut: [0, sample.ids.length] })
      const kept = session.hooks.sample.call(fitted.sample, { dataset: name })
      if (kept === null) return row(['filtered'], { sample })
      const cut = cutOf(sample, fitted.sample, truncation, fitted.cut)
      const fates: RowFate[] = cut === null ? [] : ['cut']
      const key = hashOf(kept)
      const isRepeated = config.dedup !== false && seen.has(key)
      seen.add(key)
      if (isRepeated) return row([...fates, 'duplicate'], { sample, cut })
      if (trained.has(key)) return row(fates, { sample, cut, isKept: true })
      return row([...fates, heldOut.has(key) ? 'heldOut' : 'filtered'], { sample, cut })
    }
    let batch: LocatedExample[] = []
    try {
      for await (const located of examples()) {
        signal?.throwIfAborted()
        if (count >= most) return
        count++
        batch.push(located)
        if (batch.length < atOnce) continue
        yield* rowsOf(batch)
        batch = []
      }
      yield* rowsOf(batch)
    } catch (error) {
      if (!(error instanceof IftError)) throw error
      yield* rowsOf(batch)
      yield {
        ...{ source: name, where: name, text: '', title: '', record: null, meta: {}, cut: null },
        sample: { ids: new Int32Array(), labels: new Int32Array() },
        ...{ fates: ['unreadable'], isKept: false, problem: error.message },
      }
    }
  }
}

/** Where tokens of a sample were left out: at its end, or behind what stands before every text. */
function cutOf(
  { ids }: Sample,
  fitted: Sample,
  truncation: ResolvedConfig['truncation'],
  cut: number,
): readonly [number, number] | null {
  if (cut === 0) return null
  if (truncation === 'right') return [fitted.ids.length, ids.length]
  let from = 0
  while (from < fitted.ids.length && ids[from] === fitted.ids[from] && ids[from + cut] !== fitted.ids[from])
    from++
  return [from, from + cut]
}
