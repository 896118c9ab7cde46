import { rename as renameOnce } from 'node:fs/promises'
import { setTimeout as sleep } from 'node:timers/promises'

/** What Windows says of a file that another program has open: a reader of the page, an indexer, a virus scanner. */
const isInUse = (error: unknown): boolean =>
  process.platform === 'win32' &&
  ['EACCES', 'EBUSY', 'EPERM'].includes(String((error as NodeJS.ErrnoException).code))

/** Ten seconds in all: a scanner has read a file of gigabytes by then, and a folder without rights is told of soon enough. */
const pauses = [10, 20, 50, 100, 200, 500, 1000, 2000, 3000, 3000]

/**
 * Renames a file or a folder, over one that is there. Elsewhere than on Windows that succeeds whoever reads either of them; there it is tried
 * again while another program has one open.
 */
export async function rename(from: string, to: string): Promise<void> {
  for (const pause of pauses)
    try {
      await renameOnce(from, to)
      return
    } catch (error) {
      if (!isInUse(error)) throw error
      await sleep(pause)
    }
  await renameOnce(from, to)
}
