import { createHash, randomBytes } from 'node:crypto'
import { createReadStream } from 'node:fs'
import { mkdir, open, readdir, readFile, rename, rm, type FileHandle } from 'node:fs/promises'
import { basename, dirname, join, resolve } from 'node:path'
import { IftError } from '@ift/tensor'
import { corrupt, readFailed, writeFailed } from './errors.js'
import { fileSize } from './read-bytes.js'

/** What a file will hold: all of it, or a function that writes it. */
export type Content = string | Uint8Array | ((file: FileHandle) => Promise<void>)

const besides = (path: string, kind: string) =>
  join(dirname(resolve(path)), `.${basename(path)}.${kind}-${randomBytes(6).toString('hex')}`)

/** Makes renames in a folder survive a power cut, where the system can. */
async function syncFolder(dir: string): Promise<void> {
  if (process.platform === 'win32') return
  const folder = await open(dir, 'r')
  try {
    await folder.sync()
  } finally {
    await folder.close()
  }
}

/**
 * Writes a file under a temporary name beside it, flushes it and renames it: whoever reads `path` sees the old content or
 * the new, never a part. Folders are made. `IFT_DISK_FULL` and `IFT_FILE_UNWRITABLE` leave the old file as it was.
 */
export async function writeFileAtomic(path: string, content: Content): Promise<void> {
  const temporary = besides(path, 'tmp')
  try {
    await mkdir(dirname(temporary), { recursive: true })
    const file = await open(temporary, 'wx')
    try {
      if (typeof content === 'function') await content(file)
      else await file.writeFile(content)
      await file.sync()
    } finally {
      await file.close()
    }
    await rename(temporary, path)
    await syncFolder(dirname(temporary))
  } catch (error) {
    await rm(temporary, { force: true })
    throw writeFailed(path, error)
  }
}

/** All bytes, however many calls it takes. */
export async function writeAll(file: FileHandle, bytes: Uint8Array): Promise<void> {
  for (let at = 0; at < bytes.length;) at += (await file.write(bytes, at)).bytesWritten
}

export interface ReplaceOptions {
  /** Names that an older version of the folder may have and the new one need not. */
  readonly ours?: (name: string) => boolean
  /** Whether hashes.json is written; yes when omitted. */
  readonly hashes?: boolean
}

/**
 * Writes a folder and its hashes.json under a temporary name beside it and renames it into place. A folder that is there is replaced only
 * when everything in it is written again, is listed in its own hashes.json, or is `ours`: anything else is somebody's, and
 * `IFT_FOLDER_IN_USE` names it. A process killed between the two renames leaves the old folder as `.NAME.old-…`.
 */
export async function replaceDir(
  dir: string,
  write: (temporary: string) => Promise<void>,
  options: ReplaceOptions = {},
): Promise<void> {
  const temporary = besides(dir, 'tmp')
  const old = besides(dir, 'old')
  try {
    await mkdir(temporary, { recursive: true })
    await write(temporary)
    if (options.hashes !== false) await writeHashes(temporary)
    const written = await readdir(temporary, { recursive: true, withFileTypes: true })
    for (const entry of written) {
      const path = join(entry.parentPath, entry.name)
      if (entry.isDirectory()) await syncFolder(path)
      else if (entry.isFile()) {
        const file = await open(path, 'r+')
        try {
          await file.sync()
        } finally {
          await file.close()
        }
      }
    }
    await syncFolder(temporary)
    const before = await namesIn(dir)
    if (before !== null) {
      await refuseStrangers(dir, before, new Set(await readdir(temporary)), options)
      await rename(dir, old)
    }
    try {
      await rename(temporary, dir)
    } catch (error) {
      if (before !== null) await rename(old, dir)
      throw error
    }
    await syncFolder(dirname(temporary))
    await rm(old, { recursive: true, force: true })
  } catch (error) {
    await rm(temporary, { recursive: true, force: true })
    throw writeFailed(dir, error)
  }
}

async function namesIn(dir: string): Promise<string[] | null> {
  try {
    return await readdir(dir)
  } catch (error) {
    if (error instanceof Error && 'code' in error && error.code === 'ENOENT') return null
    throw error
  }
}

async function refuseStrangers(
  dir: string,
  before: readonly string[],
  now: ReadonlySet<string>,
  { ours }: ReplaceOptions,
): Promise<void> {
  const listed = before.includes(hashList)
    ? new Set(Object.keys(await readHashes(dir)).map((path) => path.split('/')[0]))
    : new Set<string>()
  const strange = before.find((name) => !(now.has(name) || listed.has(name) || ours?.(name)))
  if (strange === undefined) return
  throw new IftError(
    'IFT_FOLDER_IN_USE',
    `${dir} is not replaced: it holds ${strange}, which would be lost.`,
    'Choose another folder, or move what is in this one.',
  )
}

/** sha256 of a file, in hexadecimal. */
export async function hashFile(path: string): Promise<string> {
  const hash = createHash('sha256')
  try {
    for await (const piece of createReadStream(path, { highWaterMark: 1 << 20 })) hash.update(piece as Buffer)
  } catch (error) {
    throw readFailed(path, error)
  }
  return hash.digest('hex')
}

/** Name of the list that makes a folder count. */
export const hashList = 'hashes.json'

interface FileHash {
  readonly bytes: number
  readonly sha256: string
}

/** Lists every file below `dir` with its length and sha256 in hashes.json. Written last, it says that the folder is whole. */
export async function writeHashes(dir: string): Promise<void> {
  const files: Record<string, FileHash> = {}
  try {
    const entries = await readdir(dir, { recursive: true, withFileTypes: true })
    const paths = entries.filter((e) => e.isFile()).map((e) => join(e.parentPath, e.name))
    for (const path of paths.sort()) {
      const name = path.slice(join(dir, '/').length).replaceAll('\\', '/')
      if (name !== hashList) files[name] = { bytes: await fileSize(path), sha256: await hashFile(path) }
    }
  } catch (error) {
    throw readFailed(dir, error)
  }
  await writeFileAtomic(join(dir, hashList), JSON.stringify({ files }, null, 2) + '\n')
}

async function readHashes(dir: string): Promise<Record<string, FileHash>> {
  const path = join(dir, hashList)
  let text: string
  try {
    text = await readFile(path, 'utf8')
  } catch (cause) {
    throw new IftError(
      'IFT_FOLDER_INCOMPLETE',
      `${dir} does not count: it has no ${hashList}, so that it was not written to its end.`,
      'Use an earlier one.',
      { cause },
    )
  }
  let parsed: unknown
  try {
    parsed = JSON.parse(text)
  } catch (cause) {
    throw corrupt(path, 'is not JSON', 'Use an earlier folder.', cause)
  }
  const files = (parsed as { files?: unknown } | null)?.files
  const valid = (entry: unknown): entry is FileHash =>
    typeof entry === 'object' && entry !== null && 'bytes' in entry && 'sha256' in entry
  if (typeof files !== 'object' || files === null || !Object.values(files).every(valid)) {
    throw corrupt(path, 'expected {"files": {NAME: {"bytes", "sha256"}}}', 'Use an earlier folder.')
  }
  return files as Record<string, FileHash>
}

/**
 * Compares a folder with its hashes.json. `IFT_FOLDER_INCOMPLETE` when the list or a file is missing, `IFT_FILE_CORRUPT` when a
 * file differs. Files that are not listed are not looked at.
 */
export async function verifyFolder(dir: string): Promise<void> {
  for (const [name, { bytes, sha256 }] of Object.entries(await readHashes(dir))) {
    const path = join(dir, name)
    let found: number
    try {
      found = await fileSize(path)
    } catch (cause) {
      throw new IftError(
        'IFT_FOLDER_INCOMPLETE',
        `${dir} does not count: ${name} is in its ${hashList} but not there.`,
        'Use an earlier one.',
        { cause },
      )
    }
    if (found !== bytes)
      throw corrupt(path, `expected ${bytes} bytes, found ${found}`, 'Use an earlier folder.')
    const hash = await hashFile(path)
    if (hash !== sha256) {
      throw corrupt(path, `expected sha256 ${sha256}, found ${hash}`, 'Use an earlier folder.')
    }
  }
}
