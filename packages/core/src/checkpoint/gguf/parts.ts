import { readdir, stat } from 'node:fs/promises'
import { basename, dirname, join } from 'node:path'
import { IftError } from '@ift/tensor'
import { isAdapterFile } from '../../files/adapter-files.js'
import { mostTensors } from '../../files/bounds.js'
import { corrupt } from '../../files/errors.js'
import type { StoredTensor } from '../stored.js'
import { openGguf, type GgufFile } from './header.js'

/** NAME-00001-of-00003.gguf */
const partName = /^(.*)-(\d{5})-of-(\d{5})(\.gguf)$/i

const nameOf = (stem: string, index: number, count: number, end: string) =>
  `${stem}-${String(index + 1).padStart(5, '0')}-of-${String(count).padStart(5, '0')}${end}`

/** The first of the parts that a name is one of; the name itself where it is no part's. */
export function firstPart(path: string): string {
  const [, stem, , count, end] = partName.exec(basename(path)) ?? []
  return stem === undefined ? path : join(dirname(path), nameOf(stem, 0, Number(count), end!))
}

/** The models among the GGUF files of a folder; the parts of a split one are one. */
export const ggufModels = (names: readonly string[]): string[] => [
  ...new Set(names.filter((name) => name.endsWith('.gguf') && !isAdapterFile(name)).map(firstPart)),
]

/** Paths of the GGUF models that a path names: a file, a part of one, or a folder of any number. None where there is nothing. */
export async function ggufModelsAt(path: string): Promise<string[]> {
  try {
    if (!(await stat(path)).isDirectory()) return path.endsWith('.gguf') ? [firstPart(path)] : []
    return ggufModels(await readdir(path)).map((name) => join(path, name))
  } catch {
    return []
  }
}

/**
 * Opens a GGUF file, or all parts of one that was split (`split.count`): any of them may be named. The metadata are those of the first
 * part. IFT_FILE_NOT_FOUND names a part that is missing, IFT_FILE_CORRUPT one that belongs to another file.
 */
export async function openGgufParts(path: string): Promise<GgufFile> {
  const first = await openGguf(firstPart(path)).catch((error: unknown) => {
    throw isAbsent(error) && firstPart(path) !== path ? missing(firstPart(path)) : error
  })
  const count = first.metadata.get('split.count') ?? 1
  if (count === 1 || count === 0) return first
  const [, stem, number, of, end] = partName.exec(basename(first.path)) ?? []
  if (typeof count !== 'number' || !Number.isInteger(count) || count < 0)
    throw corrupt(first.path, `split.count is ${JSON.stringify(count)}, expected a number of files`)
  if (stem === undefined || Number(of) !== count)
    throw corrupt(
      first.path,
      `is one of ${count} parts of a file, which its name does not say`,
      `Give the parts back their names: ${nameOf('NAME', 0, count, '.gguf')} to ${nameOf('NAME', count - 1, count, '.gguf')}.`,
    )
  const tensors = new Map<string, StoredTensor>()
  for (let index = 0; index < count; index++) {
    const at = join(dirname(path), nameOf(stem, index, count, end!))
    const part =
      index === Number(number) - 1
        ? first
        : await openGguf(at).catch((error: unknown) => {
            throw isAbsent(error) ? missing(at) : error
          })
    if (part.metadata.get('split.no') !== index || part.metadata.get('split.count') !== count)
      throw corrupt(
        at,
        `says that it is part ${JSON.stringify(part.metadata.get('split.no'))} (from 0) of ${JSON.stringify(part.metadata.get('split.count'))}, expected ${index} of ${count}`,
      )
    for (const [name, tensor] of part.tensors) {
      if (tensors.has(name)) throw corrupt(at, `has tensor ${name}, which an earlier part has too`)
      tensors.set(name, tensor)
    }
    if (tensors.size > mostTensors) throw corrupt(at, `the parts have more than ${mostTensors} tensors`)
  }
  const expected = first.metadata.get('split.tensors.count')
  if (typeof expected === 'number' && expected !== tensors.size)
    throw corrupt(first.path, `its parts have ${tensors.size} tensors, expected ${expected}`)
  return { ...first, tensors }
}

const isAbsent = (error: unknown) => error instanceof IftError && error.code === 'IFT_FILE_NOT_FOUND'

const missing = (path: string) =>
  new IftError(
    'IFT_FILE_NOT_FOUND',
    `${path}: no such file, which is a part of the model.`,
    'Put all parts of the model into one folder.',
  )
