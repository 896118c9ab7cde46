import { performance } from 'node:perf_hooks'
import { Hono } from 'hono'
import type { Ift } from '@ift/core'
import { pageApi } from './api/index.js'
import { sessionRoutes } from './api/routes/session.js'
import { Metrics } from './metrics.js'
import type { ServeOptions } from './options.js'
import { pageRoutes } from './page.js'
import { newToken } from './page-token.js'
import { Requests } from './requests.js'
import { adapterRoutes } from './routes/adapters.js'
import { alpacaCotRoutes } from './routes/alpaca-cot.js'
import { chatRoutes } from './routes/chat.js'
import { completionRoutes } from './routes/completions.js'
import { modelRoutes } from './routes/models.js'
import { pluginRoutes } from './routes/plugins.js'
import type { RouteParts, Routes, ServeContext, ServeEnv } from './routes/route.js'
import { statusRoutes } from './routes/status.js'
import { tokenizerRoutes } from './routes/tokenizer.js'
import { Gate, type Bound } from './security.js'
import { openServing, stamp as ownStamp, type Serving } from './serving.js'
import { errorResponse, HttpError, httpError, unavailable } from './wire/errors.js'

const routes: readonly Routes[] = [
  statusRoutes,
  modelRoutes,
  adapterRoutes,
  chatRoutes,
  completionRoutes,
  tokenizerRoutes,
  pluginRoutes,
]

/** A server as a handler of requests, wherever they come from. */
export interface Server {
  /** Resolves when the model is open; rejects with what kept it from that. */
  readonly ready: Promise<void>
  /**
   * Answers a request (https://fetch.spec.whatwg.org). Its signal ends the answer. Requests must name this machine in Host: localhost,
   * 127.0.0.1, [::1], or a name of `allowHosts`.
   */
  fetch(request: Request, env?: ServeEnv['Bindings']): Promise<Response>
  /** Whether only those with a key are answered. */
  readonly hasKey: boolean
  /** What paths under /api are answered for, where there is no key too: 128 bits. */
  readonly token: string
  /** Pages that watch a run now. */
  readonly watching: number
  /** When a page asked last, in milliseconds since 1970; 0 before. */
  readonly lastAsked: number
  /** Says where it is reached: the port in Host must be this one then. */
  bind(bound: Bound): void
  /** Refuses new requests, and waits for those under way, `grace` milliseconds at most: 30,000 when absent. */
  drain(grace?: number): Promise<void>
  /** `drain` without grace; then the generator is released. The session is its owner's. */
  close(): Promise<void>
}

/** Paths that are answered without a key, besides the files of the page. */
const open: ReadonlySet<string> = new Set(['/health', '/api/session'])

/** All Host headers of a request: of several, most parsers keep one and say nothing. */
function hostsOf(request: Request, { incoming }: ServeEnv['Bindings']): readonly string[] {
  if (incoming)
    return incoming.rawHeaders.filter((_, i, raw) => i % 2 === 1 && raw[i - 1]!.toLowerCase() === 'host')
  const host = request.headers.get('host')
  return [host ?? new URL(request.url).host]
}

/** Answers requests in the form of OpenAI's API with the model of a session. */
export function createServer(ift: Ift, options: ServeOptions = {}): Server {
  let serving: Serving | null = null
  let failure: unknown = null
  const token = options.page?.token ?? newToken()
  let lastAsked = 0
  let gate = new Gate(options, token, null)
  const metrics = new Metrics()
  const stamp = options.stamp ?? ownStamp
  const log = (line: string) => options.log?.(line)
  const beyondRoom = () => {
    const { running = 0, waiting = 0, most = 0 } = serving?.generator.load ?? {}
    return running + waiting - most
  }
  const requests = new Requests(options.maxQueue ?? 256, beyondRoom, metrics)
  const ready = (options.withoutModel === true ? Promise.resolve(null) : openServing(ift, options)).then(
    (opened) => {
      serving = opened
    },
    (error: unknown) => {
      failure = error
      throw error
    },
  )
  ready.catch(() => undefined)
  const failed = (context: ServeContext) => (error: unknown) => {
    const { status, code } = httpError(error)
    const { id, line } = requestOf(context)
    if (status >= 500) log(`${id} ${line} ${status} ${code}: ${shown(error)}`)
  }
  const left = (context: ServeContext) => () => {
    metrics.replied(499)
    const { id, line } = requestOf(context)
    log(`${id} ${line} 499 the client went away`)
  }
  const requestOf = (context: ServeContext) => ({
    id: context.get('requestId'),
    line: `${context.req.method} ${context.req.path.slice(0, 200)}`,
  })
  const parts: RouteParts = {
    ...{ ift, options, metrics },
    serving: () => {
      requests.requireOpen()
      if (serving) return serving
      if (options.withoutModel === true)
        throw new HttpError(503, 'no_model', 'This server has no model: it shows runs and data.', {
          type: 'server_error',
          hint: 'Start one that has: npx ift serve --weights MODEL',
          headers: { 'x-should-retry': 'false' },
        })
      throw failure === null
        ? unavailable('loading', 'The model is being loaded.')
        : new HttpError(503, 'internal_error', 'The model could not be loaded; the log says why.', {
            type: 'server_error',
            headers: { 'x-should-retry': 'false' },
          })
    },
    logPrompt: (context, body) => {
      if (options.logPrompts === true) log(`${context.get('requestId')} ${JSON.stringify(body)}`)
    },
    enter: (context) =>
      requests.enter({
        gone: context.req.raw.signal,
        model: context.get('model'),
        failed: failed(context),
        left: left(context),
      }),
    unused: (model) => requests.unused(model),
  }
  const app = new Hono<ServeEnv>()
  app.use(async (context, next) => {
    const started = performance.now()
    const { req, env } = context
    const id = `req_${stamp.id()}`
    context.set('requestId', id)
    let origin: string | null = null
    let response: Response
    try {
      gate.checkHost(hostsOf(req.raw, env))
      origin = gate.checkOrigin(req.raw.headers)
      if (req.method === 'OPTIONS') response = preflight(origin)
      else {
        if (!isPublic(req.path)) gate.checkKey(req.raw.headers, ownerOf(req.path), req.method)
        if (isOfPage(req.path)) lastAsked = Date.now()
        await next()
        // Hono hands errors of routes to `onError`, which has told the client already.
        response = context.res
      }
    } catch (error) {
      response = errorResponse(error)
    }
    const headers = new Headers(response.headers)
    if (isOfPage(req.path) && !headers.has('cache-control')) headers.set('cache-control', 'no-store')
    headers.set('x-request-id', id)
    headers.set('openai-processing-ms', String(Math.round(performance.now() - started)))
    headers.set('x-content-type-options', 'nosniff')
    const model = context.get('model') as string | undefined
    if (model !== undefined) headers.set('x-ift-model', headerText(model))
    const ignored = (context.get('ignored') as readonly string[] | undefined) ?? []
    if (ignored.length > 0) headers.set('x-ift-ignored', headerText(ignored.slice(0, 20).join(', ')))
    if (options.allowOrigins?.length) headers.append('vary', 'Origin')
    if (origin !== null) headers.set('access-control-allow-origin', origin)
    if (!req.raw.signal.aborted) {
      metrics.replied(response.status)
      const { line } = requestOf(context)
      log(`${id} ${line} ${response.status} ${Math.round(performance.now() - started)} ms`)
    }
    context.res = undefined
    context.res = new Response(response.body, { status: response.status, headers })
  })
  app.onError((error, context) => {
    if (!context.req.raw.signal.aborted) failed(context)(error)
    return errorResponse(error)
  })
  for (const add of [...routes, ...(options.alpacaCot ? [alpacaCotRoutes] : [])]) add(app, parts)
  const page = options.page
  const files = page ? pageRoutes(app, page.folder) : new Set<string>()
  const isPublic = (path: string) => open.has(path) || files.has(path)
  if (page) sessionRoutes(app, () => gate)
  const api =
    page &&
    pageApi(app, ift, page, {
      instance: newToken(),
      log,
      model: () =>
        options.withoutModel === true
          ? null
          : {
              serving,
              failure: failure === null ? null : failure instanceof Error ? failure.message : 'It failed.',
            },
    })
  app.notFound((context) => {
    const { method, path } = context.req
    const known = new Set(
      app.routes
        .filter((route) => route.method !== 'ALL' && matches(route.path, path))
        .map((route) => route.method),
    )
    if (known.size > 0)
      return errorResponse(
        new HttpError(
          405,
          'method_not_allowed',
          `${path} expected ${[...known].join(' or ')}, found ${method}.`,
          {
            headers: { allow: [...known].join(', ') },
          },
        ),
      )
    return errorResponse(new HttpError(404, 'not_found', `There is no path ${path.slice(0, 200)}.`))
  })
  return {
    ...{ ready, token, hasKey: options.apiKey !== undefined },
    fetch: async (request, env = {}) => app.fetch(request, env),
    bind: (bound) => {
      gate = new Gate(options, token, bound)
    },
    get watching() {
      return api?.watching ?? 0
    },
    get lastAsked() {
      return lastAsked
    },
    drain: async (grace = 30_000) => {
      // Pages come back when there is a server again.
      await api?.close()
      await requests.drain(grace)
    },
    close: async () => {
      await api?.close()
      await requests.drain(0)
      await ready.catch(() => undefined)
      await serving?.generator.release()
    },
  }
}

/** Whose paths a path is one of. */
const ownerOf = (path: string): 'all' | 'plugins' | 'page' =>
  !isOfPage(path) ? 'all' : path.startsWith('/api/x/') ? 'plugins' : 'page'

/** Whether a path is one that only those with the token are answered for. */
const isOfPage = (path: string): boolean => /^\/api(\/|$)/.test(path)

/** Whether a path is that of a route, whose parts may be names. */
const matches = (route: string, path: string): boolean => {
  const [parts, given] = [route.split('/'), path.split('/')]
  return parts.length === given.length && parts.every((part, i) => part.startsWith(':') || part === given[i])
}

const shown = (error: unknown): string =>
  error instanceof Error ? (error.stack ?? error.message) : String(error)

/** Headers hold visible ASCII. */
const headerText = (text: string): string => text.replace(/[^\x20-\x7e]/g, '?').slice(0, 1000)

/** What a browser asks before a page may send JSON; the key comes with the request itself. */
function preflight(origin: string | null): Response {
  if (origin === null)
    throw new HttpError(405, 'method_not_allowed', 'OPTIONS is for browsers, with an Origin.')
  return new Response(null, {
    status: 204,
    headers: {
      'access-control-allow-methods': 'GET, POST',
      'access-control-allow-headers': 'authorization, content-type, x-api-key',
      'access-control-max-age': '600',
    },
  })
}
