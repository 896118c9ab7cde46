import { constants, futimes } from 'node:fs'
import { access, readdir, rm, stat, utimes } from 'node:fs/promises'
import { dirname, join } from 'node:path'
import { withFileLock } from '../../source/lock.js'

/** How much of what can be made again is kept. */
export interface CacheLimits {
  /** Bytes of all files together. */
  readonly bytes: number
  /** Milliseconds since a file was last used. */
  readonly age: number
}

/** Interval at which a process touches the files that it uses, and time without a touch from which on nobody uses a file. */
const heartbeat = 10 * 60_000
const silence = 3 * heartbeat
/** Time after which a file that was never finished counts as abandoned. */
const abandoned = 24 * 3_600_000

/** Files of the cache: samples, what was found of duplicates, what datasets of packages read, numbers of rows. */
const kept = /^[0-9a-f]{40}\.(samples|verdicts|asked|rows)$/
const unfinished = /\.tmp(-[0-9a-f]{12})?$|\.lock$/

/** A name for a file in the folder that is written and then gets its own. */
export const temporaryName = (random: string): string => `new.samples.${random}.tmp`

/** Touches a file that is open, now and as long as it is in use; gives what ends that. */
export function keepInUse(file: number): () => void {
  const touch = () => {
    const now = Date.now() / 1000
    // Of somebody else's file the time stays as it is.
    futimes(file, now, now, () => undefined)
  }
  touch()
  const timer = setInterval(touch, heartbeat)
  timer.unref()
  return () => {
    clearInterval(timer)
  }
}

/** Touches a file that was used. */
export async function touchFile(path: string): Promise<void> {
  const now = new Date()
  await utimes(path, now, now).catch(() => undefined)
}

/**
 * Makes a file of the cache while no other process does: the others wait and then find it. A process that was killed is waited for some
 * seconds. Where the folder cannot be written to, everybody makes it for himself.
 */
export async function alone<T>(path: string, make: () => Promise<T>): Promise<T> {
  // A lock that was left in such a folder would stay for ever.
  const isWritable = await access(dirname(path), constants.W_OK).then(
    () => true,
    (error: unknown) => (error as NodeJS.ErrnoException).code === 'ENOENT',
  )
  if (!isWritable) return make()
  const begun: { made?: Promise<T> } = {}
  try {
    return await withFileLock(`${path}.lock`, () => (begun.made = make()))
  } catch {
    return begun.made ?? make()
  }
}

interface CacheFile {
  readonly path: string
  readonly bytes: number
  /** When it was last used. */
  readonly used: number
}

async function filesIn(dir: string, names: RegExp): Promise<CacheFile[]> {
  const files: CacheFile[] = []
  for (const name of await readdir(dir).catch(() => []))
    if (names.test(name)) {
      const path = join(dir, name)
      const found = await stat(path).catch(() => null)
      if (found?.isFile()) files.push({ path, bytes: found.size, used: found.mtimeMs })
    }
  return files
}

/** Bytes and number of the files that a cache folder keeps. */
export async function cacheSize(dir: string): Promise<{ readonly files: number; readonly bytes: number }> {
  const files = await filesIn(dir, kept)
  return { files: files.length, bytes: files.reduce((sum, { bytes }) => sum + bytes, 0) }
}

/**
 * Removes files that were not used for longer than the limits say, then those that were used longest ago until the rest is small enough.
 * A file that a process uses stays, and so does what is none of ours. What cannot be removed stays too.
 */
export async function pruneCache(dir: string, limits: CacheLimits): Promise<void> {
  const now = Date.now()
  const remove = ({ path }: CacheFile) => rm(path, { force: true }).catch(() => undefined)
  for (const file of await filesIn(dir, unfinished)) if (now - file.used > abandoned) await remove(file)
  const files = await filesIn(dir, kept)
  let bytes = files.reduce((sum, file) => sum + file.bytes, 0)
  for (const file of files.sort((a, b) => a.used - b.used)) {
    const idle = now - file.used
    if (idle <= silence || (idle <= limits.age && bytes <= limits.bytes)) continue
    await remove(file)
    bytes -= file.bytes
  }
}
