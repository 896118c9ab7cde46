import { readFileSync } from 'node:fs'

/** Version of the package that this file is in; all packages of ift have the same one. */
export const version = (
  JSON.parse(readFileSync(new URL('../package.json', import.meta.url), 'utf8')) as { version: string }
).version
