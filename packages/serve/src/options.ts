import type { PageOptions } from './api/index.js'

/** How a server behaves. */
export interface ServeOptions {
  /** Without it requests of anybody are answered; with it only those that have it. */
  readonly apiKey?: string
  /** Names in `Host` besides those of this machine's own (localhost, 127.0.0.1, [::1]). */
  readonly allowHosts?: readonly string[]
  /** Origins of pages that may ask, as browsers write them: `https://chat.example`. */
  readonly allowOrigins?: readonly string[]
  /** Name of the model in `model`; the last part of its path, or its id on the hub, when absent. */
  readonly name?: string
  /** New tokens of an answer at most; the rest of the context when absent. */
  readonly maxTokens?: number
  /** Answers that are computed at a time; 16 on a CPU and 128 on CUDA when absent. One of several answers of a request counts for itself. */
  readonly maxSequences?: number
  /** Bytes that keys and values may take; half of the memory that is free at the start when absent. */
  readonly cacheBytes?: number
  /**
   * Folder of adapters, which requests load and unload by the names of their folders; the model must be open with several adapters, such as
   * those that lie there at the start. No request does where it is absent.
   */
  readonly adapters?: string
  /** Adapters of the folder at a time at most; 256 when absent. */
  readonly maxAdapters?: number
  /** Bytes of their files, together; a quarter of the memory that is free at the start when absent, and what is loaded then in any case. */
  readonly adapterBytes?: number
  /** Requests that wait at most; 256 when absent. */
  readonly maxQueue?: number
  /** Refuse fields of requests that are not known. They are ignored otherwise, and named in `x-ift-ignored`. */
  readonly strict?: boolean
  /** Milliseconds of silence after which a stream shows that it is alive; 15,000 when absent. */
  readonly ping?: number
  /** Milliseconds after which a reader that takes nothing is dropped; 60,000 when absent. */
  readonly patience?: number
  /** Answer the paths of Alpaca-CoT's web.py too. */
  readonly alpacaCot?: boolean
  /** Told of what happens, a line each; nobody when absent. */
  readonly log?: (line: string) => void
  /** Write prompts and answers to the log. */
  readonly logPrompts?: boolean
  /** Without a model: /v1 says so, and the page shows runs and data. */
  readonly withoutModel?: boolean
  /** The page and its paths below /api; none when absent. */
  readonly page?: PageOptions
  /** The clock and the ids of replies, for tests. */
  readonly stamp?: Stamp
}

/** What makes one reply differ from an equal one. */
export interface Stamp {
  /** Milliseconds since 1970. */
  now(): number
  /** Letters and digits that no other reply has. */
  id(): string
}
