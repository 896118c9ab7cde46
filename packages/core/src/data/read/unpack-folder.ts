import { createHash } from 'node:crypto'
import { lstat, mkdtemp, readdir, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { processPlace, processStart } from '../../files/process.js'

const digest = (value: unknown) =>
  createHash('sha256').update(JSON.stringify(value)).digest('hex').slice(0, 8)

/** `ift-unpacked-PLACE-PID-START-`, by which a folder is told whose process has ended. */
export const folderPrefix = (pid = process.pid): string =>
  `ift-unpacked-${digest(processPlace())}-${pid}-${digest(processStart(pid))}-`

const folderName = /^(ift-unpacked-[0-9a-f]{8}-(\d+)-[0-9a-f]{8}-)[A-Za-z0-9]{6}$/

/** Whether a folder is this user's alone, so that nobody puts something else into its place while it is removed. */
async function isOwn(path: string): Promise<boolean> {
  const info = await lstat(path).catch(() => null)
  return info?.isDirectory() === true && info.uid === process.getuid?.() && (info.mode & 0o077) === 0
}

/** Removes what processes unpacked that were killed: those of this machine that run no more. */
async function removeLeft(parent: string): Promise<void> {
  for (const name of await readdir(parent).catch(() => [])) {
    const [, prefix, pid] = folderName.exec(name) ?? []
    if (prefix === undefined || !prefix.startsWith(`ift-unpacked-${digest(processPlace())}-`)) continue
    if (processStart(Number(pid)) !== null && folderPrefix(Number(pid)) === prefix) continue
    const path = join(parent, name)
    if (await isOwn(path)) await rm(path, { recursive: true, force: true }).catch(() => undefined)
  }
}

/** A new folder of the system's temporary files that only the user can open; those of processes that were killed are removed. */
export async function makeUnpackFolder(): Promise<string> {
  await removeLeft(tmpdir())
  return mkdtemp(join(tmpdir(), folderPrefix()))
}
