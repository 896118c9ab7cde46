import { setTimeout as sleep } from 'node:timers/promises'
import { IftError } from '@ift/tensor'
import { checkFileName, isCommit } from './cache.js'
import { hubLimits, nestedDeeper } from './hub-limits.js'
import type { HubFile, SourceKind, ResolveOptions } from './types.js'

const attempts = 5

/** A request that may work when it is repeated. */
export class BrokenRequest extends Error {
  constructor(
    message: string,
    readonly retryAfterMs: number | null = null,
    /** Whatever it brought, it was too slow. */
    readonly slow = false,
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

const isRecord = (value: unknown): value is Record<string, unknown> =>
  typeof value === 'object' && value !== null && !Array.isArray(value)

function parsedUrl(text: string, base?: string): URL | null {
  try {
    return new URL(text, base)
  } catch {
    return null
  }
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
    if (!/^https?:$/.test(parsedUrl(options.endpoint)?.protocol ?? ''))
      throw new IftError(
        'IFT_SOURCE_NETWORK',
        `The hub is ${JSON.stringify(options.endpoint)}, expected an address that begins with https:// or http://.`,
        'export HF_ENDPOINT=https://huggingface.co',
      )
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
    let listBytes = 0
    while (url !== null) {
      if (seen.has(url)) throw this.#nonsense(url, 'the pages of its list go in a circle')
      seen.add(url)
      if (seen.size > hubLimits.pages)
        throw this.#nonsense(url, `its list has more than ${hubLimits.pages} pages`)
      const { value, next, bytes } = await this.#json(url, commit)
      if ((listBytes += bytes) > hubLimits.listBytes)
        throw this.#nonsense(url, `its list has more than ${hubLimits.listBytes} bytes`)
      if (!Array.isArray(value)) throw this.#nonsense(url, 'expected a list of files')
      for (const entry of value as unknown[]) {
        if (!isRecord(entry))
          throw this.#nonsense(
            url,
            `expected { path, oid, size }, found ${JSON.stringify(entry).slice(0, 200)}`,
          )
        if (entry['type'] !== 'file') continue
        const lfs = isRecord(entry['lfs']) ? entry['lfs'] : undefined
        const [path, blobId, xetHash] = [entry['path'], entry['oid'], entry['xetHash']]
        const [etag, size] = [lfs?.['oid'] ?? blobId, lfs?.['size'] ?? entry['size']]
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
        if (progressed() && !cause.slow) failed = 0
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

  /** Like `AsyncIterable`, but silence of `idleTimeoutMs`, a trickle and lost connections are `BrokenRequest`s. */
  async *guarded(body: AsyncIterable<Uint8Array>, idle: IdleTimer): AsyncGenerator<Uint8Array> {
    try {
      for await (const chunk of body) {
        idle.received(chunk.length)
        yield chunk
      }
    } catch (cause) {
      this.#options.signal?.throwIfAborted()
      throw new BrokenRequest(idle.fired ?? reasonOf(cause), null, idle.slow, { cause })
    }
  }

  idleTimer(): IdleTimer {
    return new IdleTimer(this.#options.idleTimeoutMs ?? 30_000, this.#options.signal)
  }

  /** Throws when there is more than `hubLimits.jsonBytes`. */
  async #text(response: Response, url: string, idle: IdleTimer): Promise<{ text: string; bytes: number }> {
    const chunks: Uint8Array[] = []
    let bytes = 0
    if (response.body)
      for await (const chunk of this.guarded(response.body, idle)) {
        if ((bytes += chunk.length) > hubLimits.jsonBytes)
          throw this.#nonsense(url, `its answer has more than ${hubLimits.jsonBytes} bytes`)
        chunks.push(chunk)
      }
    return { text: new TextDecoder().decode(Buffer.concat(chunks)), bytes }
  }

  async #json(
    url: string,
    revision: string,
  ): Promise<{ value: unknown; next: string | null; bytes: number }> {
    return this.retry(this.id, async () => {
      const idle = this.idleTimer()
      try {
        const response = await this.#request(url, idle.signal, { accept: 'application/json' })
        await this.#check(response, url, revision)
        const link = /<([^>]+)>;\s*rel="next"/.exec(response.headers.get('link') ?? '')
        const next = link ? this.#address(link[1]!, url, 'its list goes on at') : null
        if (next && next.origin !== new URL(url).origin)
          throw this.#nonsense(url, `its list goes on at ${next.origin}`)
        const { text, bytes } = await this.#text(response, url, idle)
        if (nestedDeeper(text, hubLimits.jsonDepth))
          throw this.#nonsense(
            url,
            `its answer has more than ${hubLimits.jsonDepth} brackets within each other`,
          )
        try {
          return { value: JSON.parse(text) as unknown, next: next?.href ?? null, bytes }
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
    for (let hop = 0; hop <= hubLimits.redirects; hop++) {
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
        throw new BrokenRequest(reasonOf(reason), null, false, { cause })
      }
      const location = response.headers.get('location')
      if (![301, 302, 303, 307, 308].includes(response.status) || location === null) return response
      await response.body?.cancel()
      const next = this.#address(location, at, 'it sends on to')
      if (next.protocol !== 'https:' && next.protocol !== new URL(at).protocol)
        throw this.#nonsense(at, `it sends on to ${next.protocol}//${next.host}, which is not encrypted`)
      at = next.href
    }
    throw this.#nonsense(url, `it sends on more than ${hubLimits.redirects} times`)
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

  #address(text: string, base: string, what: string): URL {
    const address = parsedUrl(text, base)
    if (!address)
      throw this.#nonsense(base, `${what} ${JSON.stringify(text.slice(0, 200))}, which is no address`)
    return address
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

/** Aborts a request that is silent for too long, or that brings next to nothing. */
export class IdleTimer {
  readonly #controller = new AbortController()
  readonly #ms: number
  readonly signal: AbortSignal
  #timer: NodeJS.Timeout | undefined
  /** Since when, and how many bytes came since. */
  #since = performance.now()
  #bytes = 0
  /** Why the request was aborted; null while it is not. */
  fired: string | null = null
  slow = false

  constructor(ms: number, outer: AbortSignal | undefined) {
    this.#ms = ms
    this.signal = outer ? AbortSignal.any([this.#controller.signal, outer]) : this.#controller.signal
    this.renew()
  }

  /** Bytes have come. */
  received(bytes: number): void {
    this.#bytes += bytes
    const ms = performance.now() - this.#since
    if (ms >= hubLimits.slowWindows * this.#ms) {
      if ((this.#bytes * 1000) / ms < hubLimits.bytesPerSecond) {
        this.slow = true
        this.#abort(`the connection brought ${this.#bytes} bytes in ${Math.round(ms / 1000)} s`)
        return
      }
      this.#since += ms
      this.#bytes = 0
    }
    this.renew()
  }

  renew(): void {
    this.stop()
    this.#timer = setTimeout(
      () => this.#abort(`the connection was silent for ${this.#ms / 1000} s`),
      this.#ms,
    )
  }

  #abort(reason: string): void {
    this.fired = reason
    this.#controller.abort(new Error(reason))
  }

  stop(): void {
    clearTimeout(this.#timer)
  }
}
