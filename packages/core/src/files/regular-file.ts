import {
  constants,
  createReadStream,
  closeSync,
  fstatSync,
  openSync,
  readSync,
  statSync,
  type Stats,
} from 'node:fs'
import { open, stat, type FileHandle } from 'node:fs/promises'
import { corrupt, readFailed } from './errors.js'

/** Without it, opening a pipe waits for who writes into it. Files do not look at it, and Windows has none. */
export const readFlags = constants.O_RDONLY | ((constants as Partial<typeof constants>).O_NONBLOCK ?? 0)

function kindOf(info: Stats): string {
  if (info.isDirectory()) return 'a folder'
  if (info.isFIFO()) return 'a named pipe'
  if (info.isSocket()) return 'a socket'
  return 'a device'
}

/** `IFT_FILE_CORRUPT` for what is there and is no file. */
export function refuseOthers(path: string, info: Stats): void {
  if (info.isFile()) return
  throw corrupt(path, `expected a file, found ${kindOf(info)}`, 'Check the path.')
}

/**
 * Opens a file for reading. A pipe, a socket or a device has no end, and may never begin: it is refused, `IFT_FILE_CORRUPT`, before it is
 * opened, and again by what was opened, which cannot be exchanged any more.
 */
export async function openRegular(
  path: string,
): Promise<{ readonly file: FileHandle; readonly size: number }> {
  let file: FileHandle | undefined
  try {
    refuseOthers(path, await stat(path))
    file = await open(path, readFlags)
    const info = await file.stat()
    refuseOthers(path, info)
    return { file, size: info.size }
  } catch (error) {
    await file?.close()
    throw readFailed(path, error)
  }
}

const tooLarge = (path: string, most: number, size?: number) =>
  corrupt(
    path,
    `expected at most ${most} bytes${size === undefined ? '' : `, found ${size}`}`,
    'Check that it is the file that was meant.',
  )

/** A whole file of at most `most` bytes; `IFT_FILE_CORRUPT` for a longer one, before it is read. */
export async function readRegular(path: string, most: number): Promise<Buffer> {
  const { file, size } = await openRegular(path)
  try {
    if (size > most) throw tooLarge(path, most, size)
    // One byte more than there should be: a file may grow, and those of /proc say that they are empty.
    let bytes = Buffer.allocUnsafeSlow(size + 1)
    for (let end = 0; ;) {
      const { bytesRead } = await file.read(bytes, end, bytes.length - end, end)
      end += bytesRead
      if (end > most) throw tooLarge(path, most)
      if (bytesRead === 0) return bytes.subarray(0, end)
      if (end === bytes.length) bytes = Buffer.concat([bytes], Math.min(most + 1, Math.max(4096, 2 * end)))
    }
  } catch (error) {
    throw readFailed(path, error)
  } finally {
    await file.close()
  }
}

/** `openRegular` at once; the caller closes the file. */
export function openRegularSync(path: string): { readonly file: number; readonly size: number } {
  let file = -1
  try {
    refuseOthers(path, statSync(path))
    file = openSync(path, readFlags)
    const info = fstatSync(file)
    refuseOthers(path, info)
    return { file, size: info.size }
  } catch (error) {
    if (file >= 0) closeSync(file)
    throw readFailed(path, error)
  }
}

/** `readRegular` at once. */
export function readRegularSync(path: string, most: number): Buffer {
  const { file, size } = openRegularSync(path)
  try {
    if (size > most) throw tooLarge(path, most, size)
    let bytes = Buffer.allocUnsafeSlow(size + 1)
    for (let end = 0; ;) {
      const read = readSync(file, bytes, end, bytes.length - end, end)
      end += read
      if (end > most) throw tooLarge(path, most)
      if (read === 0) return bytes.subarray(0, end)
      if (end === bytes.length) bytes = Buffer.concat([bytes], Math.min(most + 1, Math.max(4096, 2 * end)))
    }
  } catch (error) {
    throw readFailed(path, error)
  } finally {
    closeSync(file)
  }
}

/** The bytes of a file of any length, a piece at a time. */
export async function* streamRegular(path: string, pieceBytes = 1 << 20): AsyncGenerator<Uint8Array> {
  const { file } = await openRegular(path)
  const stream = createReadStream(path, { fd: file, highWaterMark: pieceBytes })
  try {
    for await (const piece of stream) yield piece as Uint8Array
  } catch (error) {
    throw readFailed(path, error)
  } finally {
    // Which closes the file.
    stream.destroy()
  }
}
