import { join } from 'node:path'
import type { ResolvedConfig } from '../config/schema.js'
import type { CacheLimits } from '../data/store/index.js'

/** Folder beside the config for what is made of its data and can be made again. */
export const cachePath = (rootDir: string): string => join(rootDir, '.ift-cache')

/** How much of it stays, in bytes and milliseconds. */
export const cacheLimits = ({ cache }: Pick<ResolvedConfig, 'cache'>): CacheLimits => ({
  bytes: cache.maxSize * 2 ** 30,
  age: cache.maxAge * 24 * 3_600_000,
})
