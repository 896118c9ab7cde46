import { IftError } from '@ift/core'

/** The error for a file whose content is not what it should be; `field` is a path inside the file. */
export const corrupt = (file: string, field: string, problem: string, cause?: unknown): IftError =>
  new IftError(
    'IFT_FILE_CORRUPT',
    `${file}: ${field === '' ? '' : `${field}: `}${problem}`,
    'Fetch the file again, or take the tokenizer files of the original model.',
    { cause },
  )

/** The error for something that is well-formed and that no tokenizer here can do. */
export const unsupported = (file: string, field: string, problem: string, hint?: string): IftError =>
  new IftError(
    'IFT_TOKENIZER_UNSUPPORTED',
    `${file}: ${field}: ${problem}`,
    hint ?? 'Convert the tokenizer to a tokenizer.json with transformers and put that beside it.',
  )

export const messageOf = (error: unknown): string => (error instanceof Error ? error.message : String(error))

/** Kind of a value, for messages. */
export const kindOf = (value: unknown): string =>
  value === null
    ? 'null'
    : Array.isArray(value)
      ? 'an array'
      : typeof value === 'object'
        ? 'an object'
        : typeof value
