import { IftError } from '@ift/tensor'

/** A file of weights that went away under the run, with what to do. */
export function explainLostFile(error: unknown): IftError | null {
  if (!(error instanceof IftError) || error.code !== 'IFT_FILE_CHANGED' || error.hint !== undefined)
    return null
  return new IftError(
    error.code,
    error.message,
    'Nothing that was computed without it counts; the checkpoints so far are intact. Put the file back and go on: --resume',
    { cause: error },
  )
}
