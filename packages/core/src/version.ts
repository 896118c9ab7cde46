import { readFileSync } from 'node:fs'

/** Folder of this package: its sources and its build lie one folder below. */
export const packageRoot = new URL('../', import.meta.url)

/** Version of @ift/core. */
export const version = (
  JSON.parse(readFileSync(new URL('package.json', packageRoot), 'utf8')) as { version: string }
).version
