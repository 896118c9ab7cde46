import { createHash } from 'node:crypto'
import { existsSync } from 'node:fs'
import { join } from 'node:path'
import {
  hashFile,
  hashList,
  IftError,
  readHashes,
  writeFileAtomic,
  writeHashList,
  type FileHash,
} from '@ift/core'

/**
 * Whether README.md of an adapter's folder is as ift wrote it: the list of hashes beside it says so. A folder without the list is somebody
 * else's.
 */
export async function isEdited(dir: string): Promise<boolean> {
  const path = join(dir, 'README.md')
  if (!existsSync(path)) return false
  if (!existsSync(join(dir, hashList))) return true
  const { 'README.md': listed } = await readHashes(dir)
  return listed?.sha256 !== (await hashFile(path))
}

/** IFT_USAGE for a card that somebody has written or changed. */
export async function refuseEdited(dir: string): Promise<void> {
  if (!(await isEdited(dir))) return
  throw new IftError(
    'IFT_USAGE',
    `${join(dir, 'README.md')} has been edited, or is not of ift, and is not replaced.`,
    'Replace it with --overwrite, or read the new one first: npx ift card --print',
  )
}

/** Writes the files of a card into an adapter's folder, and into the list of its hashes where it has one. */
export async function writeCard(dir: string, files: ReadonlyMap<string, string>): Promise<void> {
  for (const [name, text] of files) await writeFileAtomic(join(dir, name), text)
  if (!existsSync(join(dir, hashList))) return
  const listed: Record<string, FileHash> = { ...(await readHashes(dir)) }
  for (const [name, text] of files) {
    const bytes = Buffer.from(text)
    listed[name] = { bytes: bytes.length, sha256: createHash('sha256').update(bytes).digest('hex') }
  }
  await writeHashList(dir, listed)
}
