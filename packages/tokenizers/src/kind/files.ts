import { access } from 'node:fs/promises'
import { join } from 'node:path'
import { IftError } from '@ift/core'

export async function exists(dir: string, name: string): Promise<boolean> {
  try {
    await access(join(dir, name))
    return true
  } catch {
    return false
  }
}

export const missing = (dir: string, names: readonly string[]): IftError =>
  new IftError(
    'IFT_TOKENIZER_MISSING',
    `${dir}: there is no ${names.join(' and no ')}.`,
    'Copy the tokenizer files of the model into that folder, or name their folder with "tokenizer" in the config.',
  )
