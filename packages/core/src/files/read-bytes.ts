import { open, stat, type FileHandle } from 'node:fs/promises'
import { corrupt, readFailed } from './errors.js'
import { readFlags, refuseOthers } from './regular-file.js'

/** Largest single read; systems refuse more than 2 GiB at once. */
const mostAtOnce = 256 * 1024 * 1024

/** Bytes of a file. */
export async function fileSize(path: string): Promise<number> {
  try {
    const info = await stat(path)
    refuseOthers(path, info)
    return info.size
  } catch (error) {
    throw readFailed(path, error)
  }
}

async function fill(file: FileHandle, path: string, offset: number, target: Uint8Array): Promise<void> {
  let done = 0
  while (done < target.length) {
    const length = Math.min(target.length - done, mostAtOnce)
    const { bytesRead } = await file.read(target, done, length, offset + done)
    if (bytesRead === 0) {
      throw corrupt(path, `ends at byte ${offset + done}, expected ${offset + target.length}`)
    }
    done += bytesRead
  }
}

/** `bytes` bytes of an open file from `offset`. */
export type Read = (offset: number, bytes: number) => Promise<Uint8Array>

/** Many reads of one file, which is opened once; `IFT_FILE_CORRUPT` when it ends before what is read. */
export async function withFile<T>(path: string, use: (read: Read) => Promise<T>): Promise<T> {
  let file: FileHandle | undefined
  try {
    const opened = (file = await open(path, readFlags))
    return await use(async (offset, bytes) => {
      const target = new Uint8Array(bytes)
      await fill(opened, path, offset, target)
      return target
    })
  } catch (error) {
    throw readFailed(path, error)
  } finally {
    await file?.close()
  }
}

/** `bytes` bytes of a file from `offset`; `IFT_FILE_CORRUPT` when it ends before. */
export const readBytes = (path: string, offset: number, bytes: number): Promise<Uint8Array> =>
  withFile(path, (read) => read(offset, bytes))

const lfsPointer = 'version https://git-lfs'

/** Refuses the text that Git LFS leaves in the place of a file it has not fetched. */
export function refusePointer(path: string, head: Uint8Array): void {
  if (Buffer.from(head.subarray(0, lfsPointer.length)).toString('latin1') !== lfsPointer) return
  throw corrupt(path, 'is a Git LFS pointer, not the file itself', 'Run git lfs pull in its folder.')
}
