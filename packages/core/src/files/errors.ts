import { constants } from 'node:os'
import { IftError } from '@ift/tensor'

const codeOf = (error: unknown): string | undefined =>
  error instanceof Error && 'code' in error && typeof error.code === 'string' ? error.code : undefined

/** A file that is not what its format says: cut short, or with numbers that do not fit. */
export const corrupt = (path: string, problem: string, hint?: string, cause?: unknown): IftError =>
  new IftError(
    'IFT_FILE_CORRUPT',
    `${path}: ${problem}`,
    hint ?? 'Download or copy the file again and compare its size and checksum with the original.',
    cause === undefined ? undefined : { cause },
  )

/** A file that would run code or reach outside its folder if it were believed. */
export const hostile = (path: string, problem: string, hint: string): IftError =>
  new IftError('IFT_FILE_HOSTILE', `${path}: ${problem}`, hint)

/** A valid file of a kind that is not read. */
export const unsupported = (path: string, problem: string, hint: string): IftError =>
  new IftError('IFT_FILE_UNSUPPORTED', `${path}: ${problem}`, hint)

/** An error of the file system while reading `path`. */
export function readFailed(path: string, cause: unknown): unknown {
  if (cause instanceof IftError) return cause
  const code = codeOf(cause)
  if (code === 'ENOENT' || code === 'ENOTDIR') {
    return new IftError('IFT_FILE_NOT_FOUND', `${path}: no such file or folder.`, 'Check the path.', {
      cause,
    })
  }
  const reason = cause instanceof Error ? cause.message : String(cause)
  return new IftError('IFT_FILE_UNREADABLE', `${path} cannot be read: ${reason}`, undefined, { cause })
}

/** Whether a disk is full or a quota used up. Node has no name for the second and gives the system's number alone. */
export function isDiskFull(error: unknown): boolean {
  if (codeOf(error) === 'ENOSPC' || codeOf(error) === 'EDQUOT') return true
  const errno = error instanceof Error && 'errno' in error ? error.errno : undefined
  return typeof errno === 'number' && Math.abs(errno) === constants.errno.EDQUOT
}

/** An error of the file system while writing `path`; the former content is untouched. */
export function writeFailed(path: string, cause: unknown): unknown {
  if (cause instanceof IftError) return cause
  if (isDiskFull(cause)) {
    return new IftError(
      'IFT_DISK_FULL',
      `${path}: the disk is full or its quota is used up; nothing was replaced.`,
      'Free some space, or choose another folder, and run it again.',
      { cause },
    )
  }
  const reason = cause instanceof Error ? cause.message : String(cause)
  return new IftError(
    'IFT_FILE_UNWRITABLE',
    `${path} cannot be written: ${reason}`,
    'Check that the folder exists and may be written to.',
    { cause },
  )
}
