import { IftError } from '@ift/core'
import type { ErrorCode } from '../api/types.js'

/** The kinds of error that OpenAI's clients know. */
export type ErrorType =
  'invalid_request_error' | 'authentication_error' | 'permission_error' | 'rate_limit_error' | 'server_error'

/** What a client is told of an error. */
export interface ErrorBody {
  readonly error: {
    readonly message: string
    readonly type: ErrorType
    readonly param: string | null
    readonly code: ErrorCode
    /** What to do next, where there is something. */
    readonly hint?: string
  }
}

interface HttpErrorOptions {
  readonly type?: ErrorType
  /** The field of the request. */
  readonly param?: string
  readonly hint?: string
  readonly headers?: Readonly<Record<string, string>>
  readonly cause?: unknown
}

/** An error with its status, as a client is told of it. */
export class HttpError extends Error {
  override readonly name = 'HttpError'
  readonly type: ErrorType
  readonly param: string | null
  readonly hint: string | undefined
  readonly headers: Readonly<Record<string, string>>

  constructor(
    readonly status: number,
    readonly code: ErrorCode,
    message: string,
    { type = 'invalid_request_error', param, hint, headers = {}, cause }: HttpErrorOptions = {},
  ) {
    super(message, { cause })
    this.type = type
    this.param = param ?? null
    this.hint = hint
    this.headers = headers
  }

  get body(): ErrorBody {
    const { message, type, param, code, hint } = this
    return { error: { message, type, param, code, ...(hint !== undefined && { hint }) } }
  }
}

/** What of a request is wrong: what was expected and found. */
export const invalid = (param: string, message: string): HttpError =>
  new HttpError(400, 'invalid_value', message, { param })

export const unsupported = (param: string, message: string): HttpError =>
  new HttpError(400, 'unsupported_parameter', message, { param })

export const unavailable = (
  code: 'loading' | 'shutting_down' | 'out_of_memory',
  message: string,
): HttpError => new HttpError(503, code, message, { type: 'server_error', headers: { 'retry-after': '1' } })

/** Codes of ift that the text of a request is to blame for, and what they are called over HTTP. */
const blamed: Readonly<
  Record<string, { readonly code: ErrorCode; readonly param?: string; readonly status?: number }>
> = {
  // Taken off while the request was read.
  IFT_ADAPTER_NAME: { code: 'model_not_found', param: 'model', status: 404 },
  IFT_SEQUENCE_TOO_LONG: { code: 'context_length_exceeded' },
  IFT_GENERATE_ROOM: { code: 'context_length_exceeded' },
  IFT_GENERATE_OPTION: { code: 'invalid_value' },
  IFT_GENERATE_EMPTY: { code: 'invalid_value' },
  IFT_PROMPT_ANSWERED: { code: 'invalid_value', param: 'messages' },
  IFT_TEMPLATE_FAILED: { code: 'invalid_value', param: 'messages' },
  IFT_TEMPLATE_TOKEN: { code: 'invalid_value', param: 'messages' },
  IFT_DATA_RECORD: { code: 'invalid_value', param: 'messages' },
  IFT_PLUGIN_NOT_FOUND: { code: 'unsupported_parameter', param: 'response_format' },
  IFT_CONSTRAINT: { code: 'unsupported_parameter', param: 'response_format' },
}

/**
 * Any error as a client is told of it. What is not about the request keeps its message to itself, which may name files: it is in the log,
 * with the id of the request.
 */
export function httpError(error: unknown): HttpError {
  if (error instanceof HttpError) return error
  if (error instanceof IftError) {
    const { code, message } = error
    const known = blamed[code]
    if (known) {
      const { param, status = 400 } = known
      return new HttpError(status, known.code, message, {
        ...(param !== undefined && { param }),
        cause: error,
      })
    }
    if (code === 'IFT_ENGINE_CLOSED') return unavailable('shutting_down', 'The server is being shut down.')
    if (code === 'IFT_OUT_OF_MEMORY') return unavailable('out_of_memory', 'The device is out of memory.')
  }
  return new HttpError(500, 'internal_error', 'The server failed; its log says why.', {
    type: 'server_error',
    headers: { 'x-should-retry': 'false' },
    cause: error,
  })
}

export const errorResponse = (error: unknown): Response => {
  const { status, body, headers } = httpError(error)
  return Response.json(body, { status, headers })
}
