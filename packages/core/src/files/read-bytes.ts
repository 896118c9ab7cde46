import { open, stat, type FileHandle } from 'node:fs/promises'
import { corrupt, readFailed } from './errors.js'

/** Largest single read; systems refuse more than 2 GiB at once. */
const mostAtOnce = 256 * 1024 * 1024

/** Bytes of a file. */
export async function fileSize(path: string): Promise<number> {
  try {
    const info = await stat(path)
    if (!info.isFile()) throw corrupt(path, 'expected a file, found a folder or a device', 'Check the path.')
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

/** `bytes` bytes of a file from `offset`; `IFT_FILE_CORRUPT` when it ends before. */
export async function readBytes(path: string, offset: number, bytes: number): Promise<Uint8Array> {
  let file: FileHandle | undefined
  try {
    file = await open(path, 'r')
    const target = new Uint8Array(bytes)
    await fill(file, path, offset, target)
    return target
  } catch (error) {
    throw readFailed(path, error)
  } finally {
    await file?.close()
  }
}

const lfsPointer = 'version https://git-lfs'

/** Refuses the text that Git LFS leaves in the place of a file it has not fetched. */
export function refusePointer(path: string, head: Uint8Array): void {
  if (Buffer.from(head.subarray(0, lfsPointer.length)).toString('latin1') !== lfsPointer) return
  throw corrupt(path, 'is a Git LFS pointer, not the file itself', 'Run git lfs pull in its folder.')
}
