import { constants } from 'node:fs'
import { access, stat } from 'node:fs/promises'
import { dirname, resolve } from 'node:path'
import { IftError } from '@ift/tensor'
import { writeFailed } from './errors.js'

/**
 * Looks whether a folder can be made, or is there and can be written to, before any work is done for it: `IFT_FILE_UNWRITABLE` names what
 * is in the way. Nothing is made.
 */
export async function refuseUnwritable(dir: string): Promise<void> {
  for (let at = resolve(dir); ; at = dirname(at)) {
    try {
      if (!(await stat(at)).isDirectory())
        throw new IftError(
          'IFT_FILE_UNWRITABLE',
          `${dir} cannot be written: ${at} is no folder.`,
          'Choose another place: --output DIR',
        )
      await access(at, constants.W_OK | constants.X_OK)
      return
    } catch (error) {
      const code = error instanceof Error && 'code' in error ? error.code : undefined
      if ((code === 'ENOENT' || code === 'ENOTDIR') && dirname(at) !== at) continue
      throw writeFailed(dir, error)
    }
  }
}
