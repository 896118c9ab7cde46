import { realpath, stat } from 'node:fs/promises'
import { basename, dirname, join, relative, resolve, sep } from 'node:path'
import { IftError } from '@ift/tensor'

/** Something that a command reads. */
export interface Input {
  /** For the message: "the adapter". */
  readonly what: string
  /** File or folder; one that is not there is passed over. */
  readonly path: string
}

interface Place {
  readonly path: string
  /** Device and inode of a file or folder; null when it does not exist. */
  readonly id: string | null
}

async function placeOf(path: string): Promise<Place> {
  const absolute = resolve(path)
  try {
    const { dev, ino } = await stat(absolute, { bigint: true })
    return { path: await realpath(absolute), id: `${dev}:${ino}` }
  } catch {
    const parent = dirname(absolute)
    if (parent === absolute) return { path: absolute, id: null }
    return { path: join((await placeOf(parent)).path, basename(absolute)), id: null }
  }
}

const holds = (folder: string, path: string) => {
  const way = relative(folder, path)
  return way !== '' && way !== '..' && !way.startsWith(`..${sep}`) && resolve(folder, way) === path
}

/**
 * Refuses to write `target`, a file or a folder that is replaced as a whole, where that would replace something that the command
 * reads, under whatever name: `IFT_FOLDER_IN_USE`.
 */
export async function refuseInputs(target: string, inputs: readonly Input[]): Promise<void> {
  const to = await placeOf(target)
  if (to.id === null) return
  for (const { what, path } of inputs) {
    const from = await placeOf(path)
    if (from.id === null) continue
    const same = from.id === to.id || from.path === to.path
    if (!same && !holds(to.path, from.path)) continue
    throw new IftError(
      'IFT_FOLDER_IN_USE',
      same
        ? `${target} is not replaced: it is ${what} that is read.`
        : `${target} is not replaced: ${what}, ${path}, is read and would be lost with it.`,
      'Choose another place to write to.',
    )
  }
}
