import { lstat, readdir } from 'node:fs/promises'
import { join } from 'node:path'

/** Files that are looked at; more than a run writes. */
const mostFiles = 20_000

/** Bytes of the files of a folder, links not followed. */
export async function folderBytes(dir: string): Promise<number> {
  let [bytes, files] = [0, 0]
  const folders = [dir]
  for (let folder = folders.pop(); folder !== undefined; folder = folders.pop())
    for (const entry of await readdir(folder, { withFileTypes: true }).catch(() => [])) {
      if (++files > mostFiles) return bytes
      const path = join(folder, entry.name)
      if (entry.isDirectory()) folders.push(path)
      else bytes += (await lstat(path).catch(() => null))?.size ?? 0
    }
  return bytes
}
