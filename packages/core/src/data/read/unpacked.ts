import { open, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { mostUnpackedBytes } from '../../files/bounds.js'
import { hostile, writeFailed } from '../../files/errors.js'
import type { RecordFile } from './record-file.js'
import { makeUnpackFolder } from './unpack-folder.js'

/** Reads a file that is needed on disk: an entry of an archive is unpacked into a folder of the system's for as long. */
export async function* onDisk<T>(
  { name, path, bytes }: RecordFile,
  read: (path: string) => AsyncGenerator<T>,
): AsyncGenerator<T> {
  if (path !== null) {
    yield* read(path)
    return
  }
  const failed = (place: string) => (cause: unknown) => {
    throw writeFailed(`${name}, unpacked to ${place} to be read,`, cause)
  }
  const folder = await makeUnpackFolder().catch(failed(tmpdir()))
  try {
    const copy = join(folder, 'entry')
    const target = await open(copy, 'wx', 0o600).catch(failed(copy))
    try {
      let length = 0
      for await (const chunk of bytes()) {
        if ((length += chunk.length) > mostUnpackedBytes)
          throw hostile(
            name,
            `more than ${mostUnpackedBytes} bytes, which are unpacked to be read`,
            'Unpack the archive, and name the folder.',
          )
        await target.writeFile(chunk).catch(failed(copy))
      }
    } finally {
      await target.close()
    }
    yield* read(copy)
  } finally {
    await rm(folder, { recursive: true, force: true })
  }
}
