import { setTimeout as sleep } from 'node:timers/promises'
import { IftError } from '@ift/core'

/** How a hub is spoken to. */
export interface HubAccess {
  /** Address without a slash at the end. */
  readonly endpoint: string
  readonly token: string
  readonly signal?: AbortSignal | undefined
  /** Wait before the first repeat of a failed request; doubled every time. Default 500. */
  readonly retryDelayMs?: number | undefined
}

/** What a hub answers to a push is a list of the files that were asked about; a page of a proxy is smaller than this too. */
const mostAnswerBytes = 8 << 20

const attempts = 5

/** A connection that is slower than this has broken. */
const leastBytesPerSecond = 16 << 10
const answerMs = 60_000

/** Answers after which the same request may work. */
const isPassing = (status: number) => status === 429 || status === 502 || status === 503 || status === 504

const sizeOf = (body: unknown): number =>
  body instanceof Blob ? body.size : typeof body === 'string' ? Buffer.byteLength(body) : 0

/** Reads an answer within its bound. */
async function bounded(response: Response): Promise<Response> {
  if (!response.body) return response
  const parts: Uint8Array[] = []
  let bytes = 0
  for await (const part of response.body as unknown as AsyncIterable<Uint8Array>) {
    if ((bytes += part.length) > mostAnswerBytes)
      throw new IftError(
        'IFT_SOURCE_NETWORK',
        `${response.url}: its answer has more than ${mostAnswerBytes} bytes.`,
        'Check HF_ENDPOINT, and any proxy in between.',
      )
    parts.push(part)
  }
  const { status, statusText, headers } = response
  const copy = new Response([204, 205, 304].includes(status) ? null : Buffer.concat(parts), {
    ...{ status, statusText, headers },
  })
  Object.defineProperty(copy, 'url', { value: response.url })
  return copy
}

/**
 * `fetch` for a hub: the token goes to the hub alone, also where it sends on; requests have a time limit by their size, answers a bound. What
 * may pass is asked again. A commit is not, where no answer came: it may have been made.
 */
export function hubFetch({ endpoint, token, signal, retryDelayMs = 500 }: HubAccess): typeof fetch {
  const home = new URL(endpoint).origin
  return async (input, init = {}) => {
    const url = input instanceof Request ? input.url : String(input)
    const headers = new Headers(init.headers)
    if (new URL(url).origin === home) headers.set('authorization', `Bearer ${token}`)
    else headers.delete('authorization')
    headers.set('user-agent', 'ift')
    const isCommit = init.method === 'POST' && new URL(url).pathname.includes('/commit/')
    for (let failed = 1; ; failed++) {
      const limit = AbortSignal.timeout(
        Math.ceil(answerMs + (sizeOf(init.body) / leastBytesPerSecond) * 1000),
      )
      const signals = [limit, signal, init.signal].filter((one) => one != null)
      let wait = retryDelayMs * 2 ** (failed - 1)
      try {
        const response = await bounded(
          await fetch(url, { ...init, headers, signal: AbortSignal.any(signals) }),
        )
        if (!isPassing(response.status) || failed >= attempts) return response
        const after = Number(response.headers.get('retry-after'))
        if (Number.isFinite(after)) wait = Math.max(wait, Math.min(after * 1000, 60_000))
      } catch (error) {
        signal?.throwIfAborted()
        init.signal?.throwIfAborted()
        if (error instanceof IftError || isCommit || failed >= attempts) throw error
      }
      await sleep(wait, undefined, signal ? { signal } : {})
    }
  }
}
