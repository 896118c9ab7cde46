import type { Context, Hono } from 'hono'
import type { Answer, Ift } from '@ift/core'
import type { Metrics } from '../metrics.js'
import type { IncomingMessage, ServerResponse } from 'node:http'
import type { Serving } from '../serving.js'
import type { ServeOptions } from '../options.js'

/** What a request brings along, and what is found out about it on the way. */
export interface ServeEnv {
  /** Of node:http, where the request came through `listen`. */
  Bindings: { readonly incoming?: IncomingMessage; readonly outgoing?: ServerResponse }
  Variables: {
    readonly requestId: string
    /** Name of the model that answered. */
    model: string
    /** Fields of the request that were not read. */
    ignored: readonly string[]
  }
}

export type ServeContext = Context<ServeEnv>
export type ServeApp = Hono<ServeEnv>

/** What routes are given. */
export interface RouteParts {
  /** The open model. Throws 503 while it is being opened, and once the server is being shut down. */
  readonly serving: () => Serving
  readonly ift: Ift
  readonly options: ServeOptions
  readonly metrics: Metrics
  /** Writes a request to the log, where that was asked for. */
  readonly logPrompt: (context: ServeContext, body: unknown) => void
  /**
   * Enters a request, which then counts as under way until its reply has ended: its signal is aborted when the client goes away, and when
   * the server stops. 429 where too many wait.
   */
  readonly enter: (context: ServeContext) => RequestScope
  /** Resolves when no request of a model is under way. */
  readonly unused: (model: string) => Promise<void>
}

/** A request under way. */
export interface RequestScope {
  readonly signal: AbortSignal
  readonly cancel: (reason?: unknown) => void
  /** Answers of the request, which are counted. */
  readonly answers: (answers: readonly Answer[]) => void
  /** What ended the request before its reply did; it is logged, and where the client has gone, counted. */
  readonly failed: (error: unknown) => void
  /** The client has gone, or is taken for gone. */
  readonly gone: () => void
  /** To be called when the reply has ended, however. */
  readonly leave: () => void
}

/** Adds paths to the server. */
export type Routes = (app: ServeApp, parts: RouteParts) => void
