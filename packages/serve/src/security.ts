import { createHash, timingSafeEqual } from 'node:crypto'
import type { ServeOptions } from './options.js'
import type { ErrorCode } from './api/types.js'
import { HttpError } from './wire/errors.js'

/** Names of this machine for itself. */
const own = ['localhost', '127.0.0.1', '[::1]']

/** Where a server is reached; null where requests come from a program of which nobody knows. */
export interface Bound {
  readonly host: string
  readonly port: number
}

const forbidden = (code: ErrorCode, message: string) =>
  new HttpError(403, code, message, { type: 'permission_error', headers: { 'x-should-retry': 'false' } })

const bracketed = (host: string) => (host.includes(':') && !host.startsWith('[') ? `[${host}]` : host)

/** `name:port` as its parts; null for what is none. */
function splitHost(host: string): { readonly name: string; readonly port: string } | null {
  const [, name, port = ''] = /^(\[[0-9a-f:.]+\]|[^:[\]]+)(?::(\d{1,5}))?$/i.exec(host) ?? []
  return name === undefined ? null : { name: name.toLowerCase(), port }
}

/** Decides who may ask: by the name that is asked for, the page that asks, and a key. */
export class Gate {
  readonly #names: ReadonlySet<string>
  readonly #proxies: ReadonlySet<string>
  readonly #origins: ReadonlySet<string>
  readonly #key: Buffer | null
  readonly #token: Buffer
  readonly #bound: Bound | null

  /** `token`: what the page shows. */
  constructor(
    { apiKey, allowHosts = [], allowOrigins = [] }: ServeOptions,
    token: string,
    bound: Bound | null,
  ) {
    this.#token = digest(token)
    const bind = bound && !['0.0.0.0', '::'].includes(bound.host) ? [bracketed(bound.host)] : []
    this.#names = new Set([...own, ...bind].map((name) => name.toLowerCase()))
    this.#proxies = new Set(allowHosts.map((name) => bracketed(name).toLowerCase()))
    this.#origins = new Set(allowOrigins)
    this.#key = apiKey === undefined ? null : digest(apiKey)
    this.#bound = bound
  }

  /**
   * Throws 403 unless the request is for one of our names, at our port: a page can give any name the address of this machine (DNS
   * rebinding). `hosts`: all Host headers.
   */
  checkHost(hosts: readonly string[]): void {
    const found = hosts.length === 1 ? splitHost(hosts[0]!) : null
    const isPort = (port: string) =>
      this.#bound === null || (port === '' ? this.#bound.port === 80 : Number(port) === this.#bound.port)
    // A name that was allowed is a proxy's, which has a port of its own.
    if (found && (this.#proxies.has(found.name) || (this.#names.has(found.name) && isPort(found.port))))
      return
    const shown = hosts.length === 1 ? JSON.stringify(hosts[0]!.slice(0, 100)) : `${hosts.length} of them`
    throw forbidden(
      'host_not_allowed',
      `Host: expected one of the names of this server at its port, found ${shown}. Allow a name with --allow-host.`,
    )
  }

  /** The origin to be told that it may read the reply; null where none asks. Throws 403 for a page that may not ask. */
  checkOrigin(headers: Headers): string | null {
    const origin = headers.get('origin')
    if (origin === null) {
      if (headers.get('sec-fetch-site') === 'cross-site')
        throw forbidden('origin_not_allowed', 'Pages of other sites may not ask this server.')
      return null
    }
    if (this.#origins.has(origin) || this.#isOwn(origin)) return origin
    throw forbidden(
      'origin_not_allowed',
      `Origin: ${JSON.stringify(origin.slice(0, 100))} may not ask this server. Allow it with --allow-origin.`,
    )
  }

  #isOwn(origin: string): boolean {
    const [, host = ''] = /^http:\/\/(.*)$/.exec(origin) ?? []
    const found = splitHost(host)
    if (!found || !this.#bound || !this.#names.has(found.name)) return false
    return found.port === '' ? this.#bound.port === 80 : Number(found.port) === this.#bound.port
  }

  /** Whether a text is the token. */
  isToken(text: string): boolean {
    return timingSafeEqual(digest(text), this.#token)
  }

  /** Cookies know no ports: each server of a machine has a name of its own. */
  get #cookieName(): string {
    return `ift_${this.#bound?.port ?? 0}`
  }

  /** The cookie that stands for the token, or the absence of it. */
  cookie(value: string, age?: number): string {
    const lasts = age === undefined ? '' : `; Max-Age=${age}`
    return `${this.#cookieName}=${value}; Path=/; HttpOnly; SameSite=Strict${lasts}`
  }

  /**
   * Whether the cookie of a request is the token. Pages at other ports of this machine are of the same site, and browsers send it along:
   * what they ask is refused, 403, and so is what changes something and does not say that our own page asks.
   */
  #hasCookie(headers: Headers, method: string): boolean {
    const found = (headers.get('cookie') ?? '')
      .split(/;\s*/)
      .find((pair) => pair.startsWith(`${this.#cookieName}=`))
      ?.slice(this.#cookieName.length + 1)
    if (found === undefined || !this.isToken(found)) return false
    const [site, origin] = [headers.get('sec-fetch-site'), headers.get('origin')]
    // Of a page behind a proxy the origin is the proxy's. What a browser says of the site, no page can say otherwise.
    const isOwn = site === null ? origin !== null && this.#isOwn(origin) : site === 'same-origin'
    const isRead = method === 'GET' || method === 'HEAD'
    if (isOwn || (isRead && origin === null && (site === null || site === 'none'))) return true
    throw forbidden('origin_not_allowed', 'Only the page of this server may ask with its cookie.')
  }

  /**
   * Throws 401 for a request without the key. Without a key all may ask, but for what belongs to the page: its own paths take the token, as a
   * key or as the page's cookie, since who may ask a model may not start runs; those of plugins take the token or the key.
   */
  checkKey(headers: Headers, of: 'all' | 'plugins' | 'page' = 'all', method = 'GET'): void {
    if (this.#key === null && of === 'all') return
    if (this.#hasCookie(headers, method)) return
    const [, bearer] = /^Bearer +(\S+)\s*$/i.exec(headers.get('authorization') ?? '') ?? []
    const given = bearer ?? headers.get('x-api-key') ?? ''
    const keys = [...(this.#key && of !== 'page' ? [this.#key] : []), ...(of === 'all' ? [] : [this.#token])]
    const found = digest(given)
    if (keys.filter((key) => timingSafeEqual(found, key)).length > 0) return
    throw new HttpError(
      401,
      'invalid_api_key',
      given === '' ? 'A key is needed: Authorization: Bearer KEY' : 'The key is wrong.',
      { type: 'authentication_error', headers: { 'www-authenticate': 'Bearer' } },
    )
  }
}

const digest = (text: string): Buffer => createHash('sha256').update(text).digest()
