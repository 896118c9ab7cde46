/** Machine-readable name of an error; every code has a page in docs/reference/errors. */
export type ErrorCode = `IFT_${string}`

/**
 * The one error class of ift. `message` says what happened, where, and with which values; `hint` is what to type
 * or change next; `cause` is the error underneath, if there was one.
 */
export class IftError extends Error {
  override readonly name = 'IftError'

  constructor(
    readonly code: ErrorCode,
    message: string,
    readonly hint?: string,
    options?: { cause?: unknown },
  ) {
    super(message, options)
  }
}
