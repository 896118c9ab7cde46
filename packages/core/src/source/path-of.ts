import { join } from 'node:path'
import type { ResolvedSource } from './types.js'

/** Path of a source: the file when the spec named one, else the folder. */
export const pathOf = ({ dir, files }: ResolvedSource, spec: string): string =>
  files.length === 1 && spec.endsWith(files[0]!) ? join(dir, files[0]!) : dir
