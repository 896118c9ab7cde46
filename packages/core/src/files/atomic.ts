import { createHash, randomBytes } from 'node:crypto'
import { existsSync } from 'node:fs'
import { mkdir, open, readdir, rm, type FileHandle } from 'node:fs/promises'
import { basename, dirname, join, resolve } from 'node:path'
import { IftError } from '@ift/tensor'
import { corrupt, readFailed, writeFailed } from './errors.js'
import { number, object, record, string } from 'zod'
import { fileSize } from './read-bytes.js'
import { readJson } from './read-json.js'
import { streamRegular } from './regular-file.js'
import { rename } from './rename.js'

/** Content of a file: all bytes, or a function that writes them. */
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
 * Writes a file under a temporary name beside it, flushes it and renames it: a reader of `path` sees the old content
 * or the new one, never a part. Folders are made. `IFT_DISK_FULL` and `IFT_FILE_UNWRITABLE` leave the old file as it
 * was.
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
    // Where the folder is a file, nothing can be removed either.
    await rm(temporary, { force: true }).catch(() => undefined)
    throw writeFailed(path, error)
  }
}

/** All bytes, however many calls it takes. */
export async function writeAll(file: FileHandle, bytes: Uint8Array): Promise<void> {
  for (let at = 0; at < bytes.length;) at += (await file.write(bytes, at)).bytesWritten
}

/** Kinds of folders that are written, by the file that each has. */
const kinds = {
  checkpoint: 'state.json',
  adapter: 'adapter_config.json',
  model: 'config.json',
} as const

export type FolderKind = keyof typeof kinds

export interface ReplaceOptions {
  /** Kind of folder that is written; a folder of another kind is not replaced. */
  readonly kind?: FolderKind
  /** Files without which a folder that is there was not written by us, and is not replaced. */
  readonly marks?: readonly string[]
  /** Names that an older version of the folder may have and the new one need not. */
  readonly ours?: (name: string) => boolean
  /** Whether hashes.json is written; yes when omitted. */
  readonly hashes?: boolean
}

/**
 * Writes a folder and its hashes.json under a temporary name beside it and renames it into place. A folder that is
 * there is replaced only when it is of the same kind and everything in it is written again, is listed in its own
 * hashes.json, or is `ours`. `IFT_FOLDER_IN_USE` names any other file, which belongs to the user. A process killed
 * between the two renames leaves the old folder as `.NAME.old-…`.
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
    await rm(temporary, { recursive: true, force: true }).catch(() => undefined)
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

const inUse = (dir: string, why: string) =>
  new IftError(
    'IFT_FOLDER_IN_USE',
    `${dir} is not replaced: ${why}`,
    'Choose another folder, or move what is in this one.',
  )

function refuseOtherKinds(dir: string, before: readonly string[], { kind, marks }: ReplaceOptions): void {
  if (kind === undefined || before.length === 0) return
  const found = (Object.keys(kinds) as FolderKind[]).find((name) => before.includes(kinds[name]))
  if (found !== undefined && found !== kind)
    throw inUse(
      dir,
      `it holds ${found === 'adapter' ? 'an' : 'a'} ${found}, and what would be written is ${kind === 'adapter' ? 'an' : 'a'} ${kind}.`,
    )
  const missing = found === undefined ? undefined : marks?.find((name) => !before.includes(name))
  if (missing !== undefined)
    throw inUse(
      dir,
      `it holds a${found === 'adapter' ? 'n' : ''} ${found} that ift has not written (no ${missing}).`,
    )
}

/** Throws the `IFT_FOLDER_IN_USE` that `replaceDir` would throw for the kind of the folder, before any work is done. */
export async function checkReplaceable(dir: string, options: ReplaceOptions): Promise<void> {
  let before: string[] | null
  try {
    before = await namesIn(dir)
  } catch (error) {
    throw writeFailed(dir, error)
  }
  if (before !== null) refuseOtherKinds(dir, before, options)
}

async function refuseStrangers(
  dir: string,
  before: readonly string[],
  now: ReadonlySet<string>,
  options: ReplaceOptions,
): Promise<void> {
  refuseOtherKinds(dir, before, options)
  const unknown = before.filter((name) => !(now.has(name) || options.ours?.(name)))
  if (!unknown.length) return
  const listed = before.includes(hashList)
    ? new Set(Object.keys(await readHashes(dir)).map((path) => path.split('/')[0]))
    : new Set<string>()
  const strange = unknown.find((name) => !listed.has(name))
  if (strange !== undefined) throw inUse(dir, `it holds ${strange}, which would be lost.`)
}

/**
 * Removes temporary files and folders that killed processes left; `ours` selects them by name. An old folder without
 * its successor gets its name back. The caller is the only process that writes there.
 */
export async function removeLeftovers(dir: string, ours: (name: string) => boolean): Promise<void> {
  try {
    for (const entry of (await namesIn(dir)) ?? []) {
      const [, name, kind] = /^\.(.+)\.(tmp|old)-[0-9a-f]+$/.exec(entry) ?? []
      if (name === undefined || !ours(name)) continue
      const path = join(dir, entry)
      if (kind === 'old' && !existsSync(join(dir, name))) await rename(path, join(dir, name))
      else await rm(path, { recursive: true, force: true })
    }
  } catch (error) {
    throw writeFailed(dir, error)
  }
}

/** Removes a folder; a process killed meanwhile leaves it under a temporary name, and never a part of it under its own. */
export async function removeDir(dir: string): Promise<void> {
  const temporary = besides(dir, 'tmp')
  try {
    await rename(dir, temporary)
    await rm(temporary, { recursive: true, force: true })
  } catch (error) {
    throw writeFailed(dir, error)
  }
}

/** sha256 of a file, in hexadecimal. */
export async function hashFile(path: string): Promise<string> {
  const hash = createHash('sha256')
  for await (const piece of streamRegular(path)) hash.update(piece)
  return hash.digest('hex')
}

/** Name of the list that makes a folder count. */
export const hashList = 'hashes.json'

/** A file as hashes.json lists it. */
export interface FileHash {
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
  await writeHashList(dir, files)
}

/** Writes hashes.json of a folder: files by their names in it. */
export const writeHashList = (dir: string, files: Readonly<Record<string, FileHash>>): Promise<void> =>
  writeFileAtomic(join(dir, hashList), JSON.stringify({ files }, null, 2) + '\n')

const hashesShape = object({ files: record(string(), object({ bytes: number(), sha256: string() })) })

/** What hashes.json of a folder lists. `IFT_FOLDER_INCOMPLETE` where there is none. */
export async function readHashes(dir: string): Promise<Record<string, FileHash>> {
  try {
    return (await readJson(join(dir, hashList), hashesShape, { hint: 'Use an earlier folder.' })).files
  } catch (cause) {
    if (!(cause instanceof IftError) || cause.code !== 'IFT_FILE_NOT_FOUND') throw cause
    throw new IftError(
      'IFT_FOLDER_INCOMPLETE',
      `${dir} does not count: it has no ${hashList}, so that it was not written to its end.`,
      'Use an earlier one.',
      { cause },
    )
  }
}

/**
 * Compares a folder with its hashes.json. `IFT_FOLDER_INCOMPLETE` when the list or a file is missing or the list lacks one of
 * `needed`, `IFT_FILE_CORRUPT` when a file differs. Other files that are not listed are not looked at.
 */
export async function verifyFolder(dir: string, needed: readonly string[] = []): Promise<void> {
  const hashes = await readHashes(dir)
  const absent = needed.find((name) => !Object.hasOwn(hashes, name))
  if (absent !== undefined || Object.keys(hashes).length === 0)
    throw new IftError(
      'IFT_FOLDER_INCOMPLETE',
      `${dir} does not count: its ${hashList} does not list ${absent ?? 'a single file'}.`,
      'Use an earlier one.',
    )
  for (const [name, { bytes, sha256 }] of Object.entries(hashes)) {
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
