import { readdir, stat } from 'node:fs/promises'
import { basename, join } from 'node:path'
import { IftError, type Backend, type FloatDType, type Tensor } from '@ift/tensor'
import { suggest } from '../config/suggest.js'
import { readFailed, unsupported } from './errors.js'
import { openSafetensors } from './safetensors.js'
import { openSharded } from './sharded.js'
import { loadStored, readValues, sizeOf, type StoredTensor } from './stored.js'

export type CheckpointFormat = 'safetensors' | 'pytorch' | 'gguf'

/** The tensors of a checkpoint, read when they are asked for. It holds no file open. */
export class WeightSource {
  constructor(
    /** File or folder that was opened. */
    readonly path: string,
    readonly format: CheckpointFormat,
    readonly tensors: ReadonlyMap<string, StoredTensor>,
    /** What a GGUF file says about the model. */
    readonly metadata: ReadonlyMap<string, unknown> = new Map(),
  ) {}

  names(): Iterable<string> {
    return this.tensors.keys()
  }

  has(name: string): boolean {
    return this.tensors.has(name)
  }

  /** Type, shape and place of a tensor; `IFT_WEIGHTS_MISSING` when there is none of this name. */
  info(name: string): StoredTensor {
    const tensor = this.tensors.get(name)
    if (tensor !== undefined) return tensor
    const near = suggest(name, this.tensors.keys())
    throw new IftError(
      'IFT_WEIGHTS_MISSING',
      `${this.path} has no tensor ${name}`,
      near === null ? undefined : `Did you mean ${near}?`,
    )
  }

  /** The tensor on a device: mapped in place when the file has it in `dtype`, else converted piece by piece. */
  load(name: string, backend: Backend, dtype: FloatDType): Promise<Tensor> {
    return loadStored(this.info(name), backend, dtype)
  }

  /** The values as f32. */
  read(name: string): Promise<Float32Array> {
    return readValues(this.info(name))
  }

  /** `model.safetensors: 12 tensors, 3,456 parameters, BF16`. */
  describe(): string {
    let parameters = 0
    const types = new Set<string>()
    const files = new Set<string>()
    for (const { shape, dtype, file } of this.tensors.values()) {
      parameters += sizeOf(shape)
      types.add(dtype)
      files.add(file)
    }
    const where = files.size > 1 ? `${basename(this.path)} (${files.size} files)` : basename(this.path)
    return `${where}: ${this.tensors.size} tensors, ${parameters.toLocaleString('en')} parameters, ${[...types].join(', ')}`
  }
}

/** Names of whole checkpoints in the order in which transformers prefers them. */
const known = [
  'model.safetensors',
  'model.safetensors.index.json',
  'pytorch_model.bin',
  'pytorch_model.bin.index.json',
] as const

/**
 * Opens a checkpoint: a folder in Hugging Face's layout, or a file (safetensors, PyTorch, GGUF, or the index of a sharded
 * one). Tensors keep the names they have in the file.
 */
export async function openCheckpoint(dirOrFile: string): Promise<WeightSource> {
  let isFolder: boolean
  try {
    isFolder = (await stat(dirOrFile)).isDirectory()
  } catch (error) {
    throw readFailed(dirOrFile, error)
  }
  return openFile(isFolder ? await findIn(dirOrFile) : dirOrFile)
}

async function findIn(dir: string): Promise<string> {
  let names: string[]
  try {
    names = await readdir(dir)
  } catch (error) {
    throw readFailed(dir, error)
  }
  for (const name of known) if (names.includes(name)) return join(dir, name)
  for (const kind of ['.safetensors', '.gguf']) {
    const found = names.filter((name) => name.endsWith(kind) && !name.startsWith('adapter_'))
    if (found.length === 1) return join(dir, found[0]!)
    if (found.length > 1) {
      throw new IftError(
        'IFT_FILE_AMBIGUOUS',
        `${dir} has ${found.length} files that could be the model: ${found.slice(0, 5).join(', ')}`,
        'Name the file instead of the folder.',
      )
    }
  }
  const isAdapter = names.some((name) => name.startsWith('adapter_model.'))
  throw new IftError(
    'IFT_FILE_NOT_FOUND',
    `${dir} holds no weights: none of ${known.join(', ')} and no .gguf file.`,
    isAdapter
      ? 'It holds an adapter: give its base as the model and this folder as the adapter.'
      : 'Check the path, or download the model again.',
  )
}

async function openFile(path: string): Promise<WeightSource> {
  if (path.endsWith('.safetensors.index.json')) {
    return new WeightSource(path, 'safetensors', await openSharded(path, openSafetensors))
  }
  if (path.endsWith('.safetensors')) {
    return new WeightSource(path, 'safetensors', (await openSafetensors(path)).tensors)
  }
  throw unsupported(
    path,
    'is no checkpoint by its name',
    'Known are .safetensors and .safetensors.index.json.',
  )
}
