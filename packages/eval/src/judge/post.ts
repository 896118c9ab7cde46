import { setTimeout as timer } from 'node:timers/promises'
import { IftError } from '@ift/core'

/** Bytes of a reply, if nothing else is said: one of 512 tokens has some thousand. */
const mostReplyBytes = 1 << 20

/** The longest that an endpoint may ask to wait. */
const mostWaitMs = 300_000

export interface EndpointNames {
  readonly url: string
  readonly model: string
  /** An environment variable. */
  readonly key: string
}

const judgeNames: EndpointNames = { url: '--judge-url', model: '--judge-model', key: 'IFT_JUDGE_KEY' }

export interface PostOptions {
  /** Sent as a bearer token; null for none. */
  readonly key: string | null
  /** Most time of one attempt. */
  readonly timeoutMs: number
  readonly attempts: number
  /** What the first repetition waits at least; each further one twice as long. */
  readonly retryDelayMs: number
  /** How a user names the endpoint, its model and its key, for hints; those of a judge when absent. */
  readonly named?: EndpointNames | undefined
  /** Longest reply; 1 MiB when absent. */
  readonly mostBytes?: number | undefined
  readonly signal?: AbortSignal | undefined
}

/** An attempt that may succeed when it is made again. */
class Broken extends Error {
  constructor(
    message: string,
    readonly waitMs = 0,
    options?: { cause?: unknown },
  ) {
    super(message, options)
  }
}

/** Throws the reason of `signal`, not that of the timer. */
async function sleep(ms: number, signal: AbortSignal | undefined): Promise<void> {
  await timer(ms, undefined, { signal }).catch(() => undefined)
  signal?.throwIfAborted()
}

/** An endpoint that asks one caller to wait means all of them. */
export class Pause {
  #until = 0

  for(ms: number): void {
    this.#until = Math.max(this.#until, Date.now() + ms)
  }

  async over(signal: AbortSignal | undefined): Promise<void> {
    for (let left = this.#until - Date.now(); left > 0; left = this.#until - Date.now())
      await sleep(left, signal)
  }
}

const failed = (message: string, hint: string, cause?: unknown) =>
  new IftError('IFT_EVAL_ENDPOINT', message, hint, { cause })

/** Seconds, or a date, of a header `retry-after`. */
export function retryAfterMs(header: string | null, now = Date.now()): number {
  if (header === null) return 0
  const seconds = Number(header)
  const ms = header.trim() !== '' && Number.isFinite(seconds) ? seconds * 1000 : Date.parse(header) - now
  return Number.isFinite(ms) ? Math.max(0, ms) : 0
}

const reasonOf = (error: unknown): string => {
  if (!(error instanceof Error)) return String(error)
  return error.cause instanceof Error && error.cause.message !== '' ? error.cause.message : error.message
}

/** What somebody else wrote, short and in one line. */
const excerpt = (text: string) => {
  const line = text.replace(/[\s\p{Cc}]+/gu, ' ').trim()
  return line.length > 200 ? `${line.slice(0, 200)}…` : line
}

async function textOf(response: Response, url: string, most: number): Promise<string> {
  const pieces: Uint8Array[] = []
  let bytes = 0
  if (!response.body) return ''
  // What ends the loop ends the connection.
  for await (const piece of response.body as unknown as AsyncIterable<Uint8Array>) {
    if ((bytes += piece.length) > most)
      throw failed(
        `${url} answered more than ${most} bytes, expected a completion.`,
        'Check the address of the endpoint.',
      )
    pieces.push(piece)
  }
  return Buffer.concat(pieces).toString('utf8')
}

const isHtml = (response: Response, text: string) =>
  /^text\/html\b/i.test(response.headers.get('content-type') ?? '') || /^\s*<(?:!doctype|html)\b/i.test(text)

function pageError(url: string, status: number, text: string, names: EndpointNames): IftError {
  const title = /<title[^>]*>([^<]*)/i.exec(text)?.[1] ?? ''
  return failed(
    `${url} answered HTTP ${status} with a page of HTML${title.trim() === '' ? '' : ` ("${excerpt(title)}")`}, expected JSON.`,
    `The address is that of an API, which often ends in /v1: ${names.url} http://127.0.0.1:8410/v1`,
  )
}

/** `error.code` and `error.message` as OpenAI and those after it write them, where they are there. */
function faultOf(text: string): { readonly code: string; readonly message: string } {
  let value: unknown
  try {
    value = JSON.parse(text)
  } catch {
    return { code: '', message: excerpt(text) }
  }
  const error = (value as { error?: unknown } | null)?.error ?? value
  if (typeof error === 'string') return { code: '', message: excerpt(error) }
  const { code, message } = (error ?? {}) as { code?: unknown; message?: unknown }
  return {
    code: typeof code === 'string' ? code : '',
    message: excerpt(typeof message === 'string' ? message : text),
  }
}

/** An endpoint that will not answer this prompt, whatever is done. */
export class RefusedPrompt extends Error {}

function refusalOf(response: Response, url: string, text: string, names: EndpointNames): Error {
  const { status, headers } = response
  const { code, message } = faultOf(text)
  const said = message === '' ? '' : `: ${message}`
  if (status === 401 || status === 403)
    return failed(
      `${url} answered HTTP ${status}${said}.`,
      `Set the key of the endpoint: export ${names.key}=…`,
    )
  if (status === 404 || status === 405)
    return failed(
      `${url} answered HTTP ${status}${said}.`,
      `Check the address, which often ends in /v1, and the name of the model: ${names.url}, ${names.model}`,
    )
  if (code === 'context_length_exceeded' || code === 'content_filter')
    return new RefusedPrompt(message || code)
  if (code === 'insufficient_quota')
    return failed(`${url} answered HTTP ${status}${said}.`, 'What it has answered so far is kept.')
  if (status === 408 || status === 409 || status === 429 || status >= 500) {
    const waitMs = retryAfterMs(headers.get('retry-after'))
    if (waitMs > mostWaitMs)
      return failed(
        `${url} answered HTTP ${status} and asks to wait ${Math.ceil(waitMs / 1000)} s${said}.`,
        'What it has answered so far is kept: run the same command again then.',
      )
    return new Broken(`HTTP ${status}${said}`, waitMs)
  }
  if (status >= 300 && status < 400)
    return failed(
      `${url} sends on to ${excerpt(headers.get('location') ?? 'nowhere')} (HTTP ${status}).`,
      `Give the address that it sends on to: ${names.url}`,
    )
  return failed(
    `${url} answered HTTP ${status}${said}.`,
    `Check the address and the name of the model: ${names.url}, ${names.model}`,
  )
}

async function attempt(url: string, body: string, options: PostOptions): Promise<unknown> {
  const { key, timeoutMs, mostBytes = mostReplyBytes, named = judgeNames, signal } = options
  const timeout = AbortSignal.timeout(timeoutMs)
  let response: Response
  let text: string
  try {
    response = await fetch(url, {
      method: 'POST',
      headers: {
        'content-type': 'application/json',
        accept: 'application/json',
        'user-agent': 'ift',
        ...(key !== null && { authorization: `Bearer ${key}` }),
      },
      body,
      // The key is for this address.
      redirect: 'manual',
      signal: signal ? AbortSignal.any([timeout, signal]) : timeout,
    })
    text = await textOf(response, url, mostBytes)
  } catch (error) {
    signal?.throwIfAborted()
    if (error instanceof IftError) throw error
    throw new Broken(timeout.aborted ? `no answer within ${timeoutMs / 1000} s` : reasonOf(error), 0, {
      cause: error,
    })
  }
  // A proxy says with a page that the endpoint behind it is busy.
  if (isHtml(response, text) && response.status < 500 && response.status !== 429)
    throw pageError(url, response.status, text, named)
  if (!response.ok) throw refusalOf(response, url, isHtml(response, text) ? '' : text, named)
  try {
    return JSON.parse(text) as unknown
  } catch (error) {
    throw new Broken(`expected JSON, found "${excerpt(text)}"`, 0, { cause: error })
  }
}

/**
 * Posts JSON and gives the JSON of the reply. What may pass is tried again: no answer in time, a lost connection, HTTP 408, 409, 429 and 5xx, after
 * what `retry-after` asks for. Throws IFT_EVAL_ENDPOINT for what will not, and after `attempts`; RefusedPrompt for a prompt that is too
 * long or against the endpoint's rules; the reason of `signal`.
 */
export async function postJson(
  url: string,
  value: unknown,
  pause: Pause,
  options: PostOptions,
): Promise<unknown> {
  const body = JSON.stringify(value)
  for (let tries = 1; ; tries++) {
    await pause.over(options.signal)
    try {
      return await attempt(url, body, options)
    } catch (error) {
      if (!(error instanceof Broken)) throw error
      if (tries >= options.attempts)
        throw failed(
          `${url} did not answer, tried ${tries} times: ${error.message}.`,
          'What it has answered so far is kept: run the same command again.',
          error,
        )
      if (error.waitMs > 0) pause.for(error.waitMs)
      await sleep(options.retryDelayMs * 2 ** (tries - 1), options.signal)
    }
  }
}
