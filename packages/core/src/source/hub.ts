import { setTimeout as sleep } from 'node:timers/promises'
import { IftError } from '@ift/tensor'
import { checkFileName, isCommit } from './cache.js'
import type { HubFile, SourceKind, ResolveOptions } from './types.js'

const attempts = 5
const redirects = 10

/** A request that may work when it is repeated. */
export class BrokenRequest extends Error {
  constructor(
    message: string,
    readonly retryAfterMs: number | null = null,
    options?: { cause?: unknown },
  ) {
    super(message, options)
  }
}

const reasonOf = (cause: unknown): string => {
  if (!(cause instanceof Error)) return String(cause)
  const inner = cause.cause
  return inner instanceof Error && inner.message !== '' ? inner.message : cause.message
}

/** The hub's HTTP interface for one repository. */
export class Hub {
  readonly #options: ResolveOptions
  readonly #fetch: typeof fetch
  /** Pages of people, not of the interface. */
  readonly page: string

  constructor(
    readonly id: string,
    options: ResolveOptions,
  ) {
    this.#options = options
    this.#fetch = options.fetch ?? fetch
    this.page = `${options.endpoint}/${this.#prefix}${id}`
  }

  get kind(): SourceKind {
    return this.#options.kind
  }

  get #prefix(): string {
    return this.kind === 'dataset' ? 'datasets/' : ''
  }

  get #api(): string {
    return `${this.#options.endpoint}/api/${this.kind === 'dataset' ? 'datasets' : 'models'}/${this.id}`
  }

  /** Commit that a branch, tag or commit names now. */
  async commit(revision: string): Promise<string> {
    const url = `${this.#api}/revision/${encodeURIComponent(revision)}`
    const { value } = await this.#json(url, revision)
    const sha = (value as { sha?: unknown } | null)?.sha
    if (typeof sha !== 'string' || !isCommit(sha)) throw this.#nonsense(url, 'expected "sha" to be a commit')
    return sha
  }

  /** All files of a commit. Throws IFT_SOURCE_UNSAFE for a name that leaves the folder. */
  async tree(commit: string): Promise<HubFile[]> {
    const files: HubFile[] = []
    let url: string | null = `${this.#api}/tree/${commit}?recursive=true`
    const seen = new Set<string>()
    while (url !== null) {
      if (seen.has(url)) throw this.#nonsense(url, 'the pages of its list go in a circle')
      seen.add(url)
      const { value, next } = await this.#json(url, commit)
      if (!Array.isArray(value)) throw this.#nonsense(url, 'expected a list of files')
      for (const entry of value as Record<string, unknown>[]) {
        if (entry['type'] !== 'file') continue
        const lfs = entry['lfs'] as { oid?: unknown; size?: unknown } | undefined
        const [path, blobId, xetHash] = [entry['path'], entry['oid'], entry['xetHash']]
        const [etag, size] = [lfs?.oid ?? blobId, lfs?.size ?? entry['size']]
        if (
          typeof path !== 'string' ||
          typeof etag !== 'string' ||
          typeof blobId !== 'string' ||
          !(lfs ? /^[0-9a-f]{64}$/ : /^[0-9a-f]{40}$/).test(etag) ||
          typeof size !== 'number' ||
          !Number.isSafeInteger(size) ||
          size < 0
        )
          throw this.#nonsense(
            url,
            `expected { path, oid, size }, found ${JSON.stringify(entry).slice(0, 200)}`,
          )
        checkFileName(path, this.id)
        files.push({ path, size, etag, blobId, ...(typeof xetHash === 'string' && { xetHash }) })
      }
      url = next
    }
    return files
  }

  /** Begins to read a file at a byte. `from` is where the answer really begins: 0 when the server cannot continue. */
  async open(
    commit: string,
    path: string,
    start: number,
    signal: AbortSignal,
  ): Promise<{ from: number; body: AsyncIterable<Uint8Array> }> {
    const name = path.split('/').map(encodeURIComponent).join('/')
    const url = `${this.#options.endpoint}/${this.#prefix}${this.id}/resolve/${commit}/${name}`
    const response = await this.#request(url, signal, {
      // A compressed answer has no bytes to continue from.
      'accept-encoding': 'identity',
      ...(start > 0 && { range: `bytes=${start}-` }),
    })
    if (response.status === 416) {
      await response.body?.cancel()
      return { from: -1, body: (async function* () {})() }
    }
    await this.#check(response, url, commit, path)
    if (!response.body) throw new BrokenRequest(`${url} answered without content`)
    const range = /^bytes (\d+)-/.exec(response.headers.get('content-range') ?? '')
    const from = response.status === 206 && range ? Number(range[1]) : 0
    return { from, body: response.body as unknown as AsyncIterable<Uint8Array> }
  }

  /** Runs until it works, is refused, or has failed `attempts` times in a row without `progressed`. */
  async retry<T>(what: string, run: () => Promise<T>, progressed: () => boolean = () => false): Promise<T> {
    const { retryDelayMs = 500, signal } = this.#options
    for (let failed = 0; ;)
      try {
        return await run()
      } catch (cause) {
        signal?.throwIfAborted()
        if (!(cause instanceof BrokenRequest)) throw cause
        if (progressed()) failed = 0
        if (++failed >= attempts)
          throw new IftError(
            'IFT_SOURCE_NETWORK',
            `${what} could not be fetched from ${this.#options.endpoint}, tried ${attempts} times: ${cause.message}.`,
            'What has arrived is kept: run the same command again to continue. Behind a mirror: export HF_ENDPOINT=https://…',
            { cause },
          )
        const wait = Math.min(retryDelayMs * 2 ** (failed - 1), 60 * retryDelayMs)
        await sleep(Math.max(wait, Math.min(cause.retryAfterMs ?? 0, 60_000)), undefined, { signal }).catch(
          () => undefined,
        )
        // The reason that the caller gave, not that of the timer.
        signal?.throwIfAborted()
      }
  }

  /** Like `AsyncIterable`, but silence of `idleTimeoutMs` and lost connections are `BrokenRequest`s. */
  async *guarded(body: AsyncIterable<Uint8Array>, idle: IdleTimer): AsyncGenerator<Uint8Array> {
    try {
      for await (const chunk of body) {
        idle.renew()
        yield chunk
      }
    } catch (cause) {
      this.#options.signal?.throwIfAborted()
      throw new BrokenRequest(idle.fired ? idle.message : reasonOf(cause), null, { cause })
    }
  }

  idleTimer(): IdleTimer {
    return new IdleTimer(this.#options.idleTimeoutMs ?? 30_000, this.#options.signal)
  }

  async #json(url: string, revision: string): Promise<{ value: unknown; next: string | null }> {
    return this.retry(this.id, async () => {
      const idle = this.idleTimer()
      try {
        const response = await this.#request(url, idle.signal, { accept: 'application/json' })
        await this.#check(response, url, revision)
        const link = /<([^>]+)>;\s*rel="next"/.exec(response.headers.get('link') ?? '')
        const next = link ? new URL(link[1]!, url) : null
        if (next && next.origin !== new URL(url).origin)
          throw this.#nonsense(url, `its list goes on at ${next.origin}`)
        const text = await response.text().catch((cause: unknown) => {
          throw new BrokenRequest(idle.fired ? idle.message : reasonOf(cause), null, { cause })
        })
        try {
          return { value: JSON.parse(text) as unknown, next: next?.href ?? null }
        } catch (cause) {
          throw this.#nonsense(url, 'expected JSON', cause)
        }
      } finally {
        idle.stop()
      }
    })
  }

  /** Follows redirects itself: the token goes to the hub alone. */
  async #request(url: string, signal: AbortSignal, headers: Record<string, string>): Promise<Response> {
    const { token } = this.#options
    const home = new URL(this.#options.endpoint).origin
    let at = url
    for (let hop = 0; hop <= redirects; hop++) {
      const authorized: Record<string, string> =
        token && new URL(at).origin === home ? { authorization: `Bearer ${token}` } : {}
      let response: Response
      try {
        response = await this.#fetch(at, {
          headers: { 'user-agent': 'ift', ...headers, ...authorized },
          redirect: 'manual',
          signal,
        })
      } catch (cause) {
        this.#options.signal?.throwIfAborted()
        const reason: unknown = signal.aborted ? signal.reason : cause
        throw new BrokenRequest(reasonOf(reason), null, { cause })
      }
      const location = response.headers.get('location')
      if (![301, 302, 303, 307, 308].includes(response.status) || location === null) return response
      await response.body?.cancel()
      const next = new URL(location, at)
      if (next.protocol !== 'https:' && next.protocol !== new URL(at).protocol)
        throw this.#nonsense(at, `it sends on to ${next.protocol}//${next.host}, which is not encrypted`)
      at = next.href
    }
    throw this.#nonsense(url, `it sends on more than ${redirects} times`)
  }

  async #check(response: Response, url: string, revision: string, file?: string): Promise<void> {
    if (response.ok) return
    const { status } = response
    await response.body?.cancel()
    const { token, kind } = this.#options
    const code = response.headers.get('x-error-code') ?? ''
    const what = `The ${kind} ${this.id}`
    if (status === 408 || status === 429 || status >= 500) {
      const after = Number(response.headers.get('retry-after'))
      throw new BrokenRequest(`${url} answered ${status}`, Number.isFinite(after) ? after * 1000 : null)
    }
    if (code === 'GatedRepo' || (status === 403 && code === ''))
      throw new IftError(
        'IFT_SOURCE_GATED',
        `${what} is gated: its owner wants you to accept terms first (HTTP ${status}).`,
        `Accept them at ${this.page}, then ${token ? 'use the token of that account' : 'log in'}: export HF_TOKEN=hf_…`,
      )
    if (code === 'RevisionNotFound')
      throw new IftError(
        'IFT_SOURCE_NOT_FOUND',
        `${what} has no revision "${revision}".`,
        `Its branches and tags are listed at ${this.page}/tree/main.`,
      )
    if (code === 'EntryNotFound' && file !== undefined)
      throw new IftError('IFT_SOURCE_NOT_FOUND', `${what} at ${revision} has no file ${file}.`)
    if (status === 401 || status === 403 || status === 404)
      throw new IftError(
        'IFT_SOURCE_NOT_FOUND',
        `${what} was not found at ${this.#options.endpoint}, or ${token ? 'the token may not read it' : 'it is private'} (HTTP ${status}).`,
        token
          ? `Check the name and what the token may read: ${this.#options.endpoint}/settings/tokens`
          : 'Check the name. For a private repository: export HF_TOKEN=hf_…',
      )
    throw new IftError('IFT_SOURCE_NETWORK', `${url} answered HTTP ${status}.`)
  }

  #nonsense(url: string, problem: string, cause?: unknown): IftError {
    return new IftError(
      'IFT_SOURCE_NETWORK',
      `${url}: ${problem}.`,
      'Check HF_ENDPOINT, and any proxy in between.',
      { cause },
    )
  }
}

/** Aborts a request that is silent for too long. */
export class IdleTimer {
  readonly #controller = new AbortController()
  readonly #ms: number
  readonly signal: AbortSignal
  #timer: NodeJS.Timeout | undefined
  fired = false

  constructor(ms: number, outer: AbortSignal | undefined) {
    this.#ms = ms
    this.signal = outer ? AbortSignal.any([this.#controller.signal, outer]) : this.#controller.signal
    this.renew()
  }

  get message(): string {
    return `the connection was silent for ${this.#ms / 1000} s`
  }

  renew(): void {
    this.stop()
    this.#timer = setTimeout(() => {
      this.fired = true
      this.#controller.abort(new Error(this.message))
    }, this.#ms)
  }

  stop(): void {
    clearTimeout(this.#timer)
  }
}
