import { randomBytes } from 'node:crypto'
import { version, type Ift, type OpenModel, type TextGenerator } from '@ift/core'
import { FolderAdapters } from './adapters.js'
import { Models } from './models.js'
import { TokenTexts } from './wire/logprobs.js'
import type { ServeOptions, Stamp } from './options.js'

/** What routes answer with: a model that is open, and how the server behaves. */
export interface Serving {
  readonly ift: Ift
  readonly open: OpenModel
  readonly generator: TextGenerator
  readonly models: Models
  /** Adapters that requests load and unload; null where the model was opened with one for all requests. */
  readonly adapters: FolderAdapters | null
  /** When the model was open, seconds since 1970. */
  readonly started: number
  readonly options: ServeOptions
  readonly stamp: Stamp
  /** `system_fingerprint` of replies: with the same one, and the same seed, a request has the same answer. */
  readonly fingerprint: string
  readonly texts: TokenTexts
}

/** The time, and random ids. */
export const stamp: Stamp = { now: () => Date.now(), id: () => randomBytes(12).toString('hex') }

/** Opens the model of a session's config. */
export async function openServing(ift: Ift, options: ServeOptions): Promise<Serving> {
  // The page loads adapters of runs beside those that the config names.
  const open = await ift.openModel({ training: false, openToAdapters: options.page !== undefined })
  const { maxSequences, cacheBytes } = options
  const generator = await ift.createGenerator(open, {
    keepPrefixes: true,
    ...(maxSequences !== undefined && { maxSequences }),
    ...(cacheBytes !== undefined && { cacheBytes }),
  })
  const fingerprint = `ift_${version}_${open.fingerprint.slice(0, 10)}`
  const models = new Models(open, options)
  const { adapters } = options
  return {
    ift,
    open,
    generator,
    models,
    adapters:
      open.adapters === null ? null : new FolderAdapters(adapters ?? null, open, generator, models, options),
    started: Math.floor((options.stamp ?? stamp).now() / 1000),
    options,
    stamp: options.stamp ?? stamp,
    fingerprint,
    texts: new TokenTexts(open.tokenizer),
  }
}
