/** What the server said instead of an answer, in its own words. */
export class ApiError extends Error {
  override readonly name = 'ApiError'

  constructor(
    /** 0: the server was not reached. */
    readonly status: number,
    readonly code: string | null,
    message: string,
    /** The field of the request that is wrong. */
    readonly param: string | null = null,
    /** What to do next. */
    readonly hint: string | null = null,
  ) {
    super(message)
  }
}

export interface RequestOptions {
  readonly signal?: AbortSignal
}

/** A value of JSON. Throws `ApiError`; AbortError when the signal ends it. */
export const getJson = <T>(path: string, { signal }: RequestOptions = {}): Promise<T> =>
  send<T>(path, { ...(signal && { signal }) })

export const postJson = <T>(path: string, body: unknown, { signal }: RequestOptions = {}): Promise<T> =>
  send<T>(path, { ...posted(body), ...(signal && { signal }) })

export const remove = <T>(path: string): Promise<T> => send<T>(path, { method: 'DELETE' })

/** A request with a body of JSON. */
export const posted = (body: unknown): RequestInit => ({
  method: 'POST',
  headers: { 'content-type': 'application/json' },
  body: JSON.stringify(body),
})

async function send<T>(path: string, init: RequestInit): Promise<T> {
  const response = await reach(path, init)
  if (!response.ok) throw await problemOf(response)
  const text = await response.text()
  return (text === '' ? null : JSON.parse(text)) as T
}

/** Sends a request; a server that is not reached is an `ApiError` too. */
export async function reach(path: string, init: RequestInit): Promise<Response> {
  try {
    return await fetch(path, { credentials: 'same-origin', ...init })
  } catch (error) {
    if (error instanceof DOMException && error.name === 'AbortError') throw error
    throw new ApiError(0, 'unreachable', error instanceof Error ? error.message : String(error))
  }
}

/** The error of a reply that is none of 2xx. */
export async function problemOf(response: Response): Promise<ApiError> {
  const text = await response.text().catch(() => '')
  return (
    readProblem(text, response.status) ??
    new ApiError(response.status, null, text.slice(0, 500) || response.statusText)
  )
}

/** The error that a body tells of; null where it tells of none. */
export function readProblem(text: string, status: number): ApiError | null {
  try {
    const { error } = JSON.parse(text) as { error?: Partial<ApiError> }
    if (typeof error?.message !== 'string') return null
    return new ApiError(status, error.code ?? null, error.message, error.param ?? null, error.hint ?? null)
  } catch {
    return null
  }
}
