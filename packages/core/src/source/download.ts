import { createHash, randomUUID, type Hash } from 'node:crypto'
import { createReadStream } from 'node:fs'
import { mkdir, open, readdir, rm, stat, statfs } from 'node:fs/promises'
import { basename, dirname, join } from 'node:path'
import { IftError } from '@ift/tensor'
import { isDiskFull } from '../files/errors.js'
import { rename } from '../files/rename.js'
import type { RepoCache } from './cache.js'
import { hubLimits } from './hub-limits.js'
import { BrokenRequest, type Hub } from './hub.js'
import { withFileLock } from './lock.js'
import type { HubFile } from './types.js'

/** A large file's blob is named by its sha256, any other by git's sha1 of it. */
const hashFor = ({ etag, size }: HubFile): Hash =>
  etag.length === 64 ? createHash('sha256') : createHash('sha1').update(`blob ${size}\0`)

const gigabytes = (bytes: number) => `${(bytes / 1e9).toPrecision(3)} GB`

/** Folders that may not be written, and names that a list has and no file system takes, or that are a file and a folder. */
const cannotBeMade = new Set([
  ...['EACCES', 'EPERM', 'EROFS'],
  ...['ENAMETOOLONG', 'EEXIST', 'ENOTDIR', 'EISDIR', 'ELOOP', 'EINVAL', 'EILSEQ'],
])

/** Errors of the file system as what the user can do about them. */
export function fileError(cause: unknown, path: string): unknown {
  const { code, message } = cause as NodeJS.ErrnoException
  if (isDiskFull(cause))
    return new IftError(
      'IFT_DISK_FULL',
      `The disk of ${dirname(path)} is full. What has arrived is kept.`,
      'Free some space, or keep the cache elsewhere: export HF_HUB_CACHE=/path',
      { cause },
    )
  if (code !== undefined && cannotBeMade.has(code))
    return new IftError(
      'IFT_FILE_WRITE',
      `${path} cannot be written: ${message}`,
      'Keep the cache elsewhere: export HF_HUB_CACHE=/path',
      { cause },
    )
  return cause
}

/** Refuses before the first byte when what is still to come cannot fit. */
export async function checkSpace(cache: RepoCache, files: readonly HubFile[]): Promise<void> {
  let bytes = 0
  for (const file of files) bytes += file.size - Math.min(file.size, (await partOf(cache, file))?.size ?? 0)
  await mkdir(cache.dir, { recursive: true })
  const { bavail, bsize } = await statfs(cache.dir)
  if (bavail * bsize < bytes)
    throw new IftError(
      'IFT_DISK_FULL',
      `${cache.id} needs ${gigabytes(bytes)} more, and ${cache.cacheDir} has ${gigabytes(bavail * bsize)} left.`,
      'Free some space, or keep the cache elsewhere: export HF_HUB_CACHE=/path',
    )
}

/** Parts of a file that earlier runs left, the longest first. */
async function partsOf(blob: string): Promise<{ readonly path: string; readonly size: number }[]> {
  const name = basename(blob)
  const parts: { path: string; size: number }[] = []
  for (const entry of await readdir(dirname(blob)).catch(() => [])) {
    const ours = entry.startsWith(`${name}.ift-`) && entry.endsWith('.incomplete')
    const path = join(dirname(blob), entry)
    const found = ours || entry === `${name}.incomplete` ? await stat(path).catch(() => null) : null
    if (found) parts.push({ path, size: found.size })
  }
  return parts.sort((x, y) => y.size - x.size)
}

/** The longest part of a file that earlier runs left. */
export const partOf = async (
  cache: RepoCache,
  { etag }: HubFile,
): Promise<{ readonly size: number } | undefined> => (await partsOf(cache.blob(etag)))[0]

/** Takes over the longest part of a file that an earlier run left, under a name of this run's own. */
async function claimPart(blob: string, size: number): Promise<string> {
  const own = `${blob}.ift-${randomUUID().slice(0, 8)}.incomplete`
  let claimed = false
  for (const part of await partsOf(blob))
    if (claimed || part.size > size) await rm(part.path, { force: true })
    else
      // When this fails, another process has taken it.
      claimed = await rename(part.path, own).then(
        () => true,
        () => false,
      )
  return own
}

/** Continues a part to the end of the file and checks its hash, computed on the way. */
async function append(
  hub: Hub,
  commit: string,
  file: HubFile,
  path: string,
  onBytes: (received: number) => void,
): Promise<void> {
  const hash = hashFor(file)
  let received = 0
  const present = await stat(path).catch(() => null)
  if (present) {
    for await (const chunk of createReadStream(path)) {
      hash.update(chunk as Buffer)
      received += (chunk as Buffer).length
    }
  }
  onBytes(received)
  if (received < file.size || file.size === 0) {
    const idle = hub.idleTimer()
    try {
      const { from, body } = await hub.open(commit, file.path, received, idle.signal)
      if (from !== received) {
        // The server cannot continue from here: the part is useless.
        if (present) await rm(path, { force: true })
        if (from !== 0) throw new BrokenRequest(`${file.path} cannot be continued at byte ${received}`)
        received = 0
      }
      const fresh = received === 0 ? hashFor(file) : hash
      const target = await open(path, received === 0 ? 'w' : 'a')
      try {
        for await (const chunk of hub.guarded(body, idle)) {
          await target.writeFile(chunk)
          fresh.update(chunk)
          received += chunk.length
          if (received > file.size) break
          onBytes(received)
        }
        await target.sync()
      } finally {
        await target.close()
      }
      if (received < file.size)
        throw new BrokenRequest(`the connection ended at byte ${received} of ${file.size}`)
      await verify(file, path, received, fresh)
      return
    } finally {
      idle.stop()
    }
  }
  await verify(file, path, received, hash)
}

async function verify(file: HubFile, path: string, received: number, hash: Hash): Promise<void> {
  const digest = hash.digest('hex')
  if (received === file.size && digest === file.etag) return
  await rm(path, { force: true })
  throw new WrongContent(
    received > file.size
      ? `more than the ${file.size} bytes that the hub lists`
      : `its ${file.etag.length === 64 ? 'sha256' : 'git hash'} is ${digest}, expected ${file.etag}`,
  )
}

class WrongContent extends Error {}

/**
 * Fetches a file into the cache's blobs, continuing what an earlier run began; checks its hash; makes it appear under
 * its name in one step. Processes that want the same file wait for the first.
 */
export async function downloadBlob(
  hub: Hub,
  cache: RepoCache,
  commit: string,
  file: HubFile,
  onBytes: (received: number) => void,
  signal?: AbortSignal,
): Promise<void> {
  const blob = cache.blob(file.etag)
  try {
    await mkdir(dirname(blob), { recursive: true })
    await withFileLock(
      join(cache.locks, `${file.etag}.ift.lock`),
      async () => {
        if (await cache.hasBlob(file)) return
        const part = await claimPart(blob, file.size)
        let best = 0
        let known = 0
        const fetchOnce = () =>
          hub.retry(
            `${file.path} of ${hub.id}`,
            () =>
              append(hub, commit, file, part, (received) => {
                best = received
                onBytes(received)
              }),
            () => {
              const more = best - known >= hubLimits.progressBytes
              if (more) known = best
              return more
            },
          )
        try {
          await fetchOnce()
        } catch (cause) {
          if (!(cause instanceof WrongContent)) throw cause
          // A part from before may have been damaged, or be of another file: once more from the start.
          onBytes(0)
          await fetchOnce().catch((again: unknown) => {
            if (!(again instanceof WrongContent)) throw again
            throw new IftError(
              'IFT_SOURCE_HASH',
              `${file.path} of ${hub.id} arrives damaged: ${again.message}.`,
              'Check HF_ENDPOINT and any proxy in between, then try again.',
              { cause: again },
            )
          })
        }
        await rename(part, blob)
      },
      signal,
    )
  } catch (cause) {
    throw fileError(cause, blob)
  }
}
