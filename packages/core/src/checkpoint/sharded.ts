import { basename, dirname, isAbsolute, join } from 'node:path'
import { looseObject, record, string } from 'zod'
import { writeFileAtomic } from '../files/atomic.js'
import { mostTensors } from '../files/bounds.js'
import { corrupt, hostile } from '../files/errors.js'
import { readJson } from '../files/read-json.js'
import { itemBytes } from './numbers.js'
import { writeSafetensors, type TensorToWrite } from './safetensors.js'
import { sizeOf, type StoredTensor } from './stored.js'

const indexShape = looseObject({ weight_map: record(string(), string()) })

/** Opens one shard. */
export type ShardReader = (path: string) => Promise<{ readonly tensors: ReadonlyMap<string, StoredTensor> }>

/**
 * Tensors of a checkpoint in several files, by its index: {"metadata": …, "weight_map": {tensor: file}}. The files lie in the
 * folder of the index: an index that points elsewhere is `IFT_FILE_HOSTILE`.
 */
export async function openSharded(index: string, open: ShardReader): Promise<Map<string, StoredTensor>> {
  const { weight_map: weightMap } = await readJson(index, indexShape)
  const placed = Object.entries(weightMap)
  if (placed.length > mostTensors)
    throw corrupt(index, `weight_map has ${placed.length} tensors, more than ${mostTensors}`)
  const shards = new Map<string, string[]>()
  for (const [name, file] of placed) {
    if (file === '') throw corrupt(index, `weight_map.${name} is not a file name`)
    const parts = file.split(/[\\/]/)
    if (isAbsolute(file) || /^[A-Za-z]:/.test(file) || parts.includes('..') || file.includes('\0')) {
      throw hostile(
        index,
        `weight_map.${name} is ${JSON.stringify(file)}, which is outside its folder`,
        'Do not use this checkpoint; get it from its authors.',
      )
    }
    const names = shards.get(file)
    if (names === undefined) shards.set(file, [name])
    else names.push(name)
  }
  const result = new Map<string, StoredTensor>()
  for (const [file, names] of shards) {
    const path = join(dirname(index), file)
    const { tensors } = await open(path)
    for (const name of names) {
      const tensor = tensors.get(name)
      if (tensor === undefined) {
        throw corrupt(path, `has no tensor ${name}, which ${basename(index)} says is there`)
      }
      result.set(name, tensor)
    }
  }
  return result
}

export interface ShardOptions {
  /** Most bytes of tensors in a file; 5 GB when omitted. A larger tensor gets a file of its own. */
  readonly maxShardBytes?: number | undefined
  readonly metadata?: Readonly<Record<string, string>> | undefined
}

/** Names that `writeSharded` gives to files. */
export const isShardName = (name: string): boolean =>
  /^model(-\d{5}-of-\d{5})?\.safetensors(\.index\.json)?$/.test(name)

/**
 * Writes model.safetensors, or model-00001-of-0000N.safetensors and model.safetensors.index.json when it does not fit into
 * one file, as transformers does. Returns the names.
 */
export async function writeSharded(
  dir: string,
  tensors: readonly TensorToWrite[],
  options: ShardOptions = {},
): Promise<string[]> {
  const { maxShardBytes = 5e9, metadata } = options
  const shards: TensorToWrite[][] = []
  let room = -1
  let totalBytes = 0
  let totalElements = 0
  for (const tensor of tensors) {
    const elements = sizeOf(tensor.shape)
    const bytes = elements * itemBytes[tensor.dtype]
    totalBytes += bytes
    totalElements += elements
    const last = shards[shards.length - 1]
    if (last === undefined || bytes > room) {
      shards.push([tensor])
      room = maxShardBytes - bytes
    } else {
      last.push(tensor)
      room -= bytes
    }
  }
  if (shards.length <= 1) {
    await writeSafetensors(join(dir, 'model.safetensors'), tensors, metadata)
    return ['model.safetensors']
  }
  const files: string[] = []
  const number = (n: number) => String(n).padStart(5, '0')
  const weightMap: Record<string, string> = {}
  for (const [i, shard] of shards.entries()) {
    const file = `model-${number(i + 1)}-of-${number(shards.length)}.safetensors`
    await writeSafetensors(join(dir, file), shard, metadata)
    files.push(file)
    for (const { name } of shard) weightMap[name] = file
  }
  const sorted = Object.fromEntries(Object.entries(weightMap).sort(([a], [b]) => (a < b ? -1 : 1)))
  const index = {
    metadata: { total_parameters: totalElements, total_size: totalBytes },
    weight_map: sorted,
  }
  // The index comes last: without it the shards are no checkpoint.
  await writeFileAtomic(join(dir, 'model.safetensors.index.json'), JSON.stringify(index, null, 2) + '\n')
  return [...files, 'model.safetensors.index.json']
}
