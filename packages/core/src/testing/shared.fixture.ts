import { existsSync } from 'node:fs'
import { resolve } from 'node:path'
import { fileURLToPath } from 'node:url'

// Only tests read this.
const root =
  // eslint-disable-next-line no-restricted-properties
  process.env['IFT_SHARED'] ?? resolve(fileURLToPath(new URL('../../../../../shared', import.meta.url)))

/** Path of a file of the shared test data. */
export const shared = (path: string): string => resolve(root, path)

/** Whether tests that need it must be skipped; says why. */
export function sharedMissing(path: string): boolean {
  if (existsSync(shared(path))) return false
  process.stderr.write(
    `skipped: ${shared(path)} is absent (set IFT_SHARED to the folder of the shared test data)\n`,
  )
  return true
}
