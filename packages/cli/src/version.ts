import { readFileSync } from 'node:fs'

/** Version of the package that this file is in. */
export const version = (
  JSON.parse(readFileSync(new URL('../package.json', import.meta.url), 'utf8')) as { version: string }
).version
