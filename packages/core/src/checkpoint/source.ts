import { readdir, stat } from 'node:fs/promises'
import { join } from 'node:path'
import { IftError } from '@ift/tensor'
import { isAdapterFile } from '../files/adapter-files.js'
import { readFailed, unsupported } from '../files/errors.js'
import { isPrefixEncoder } from './adapter-formats/index.js'
import { ggufModels, openGgufParts } from './gguf/index.js'
import { openSafetensors } from './safetensors.js'
import { openSharded } from './sharded.js'
import { openTorch } from './torch.js'
import { WeightSource } from './weight-source.js'

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
  const source = await openFile(isFolder ? await findIn(dirOrFile) : dirOrFile)
  if (isPrefixEncoder(source.names()))
    throw unsupported(
      source.path,
      "holds the prefix of ChatGLM's P-tuning v2 and no model",
      'Give its base as the model, and this folder as the adapter.',
    )
  return source
}

async function findIn(dir: string): Promise<string> {
  let names: string[]
  try {
    names = await readdir(dir)
  } catch (error) {
    throw readFailed(dir, error)
  }
  for (const name of known) if (names.includes(name)) return join(dir, name)
  const safetensors = names.filter((name) => name.endsWith('.safetensors') && !isAdapterFile(name))
  for (const models of [safetensors, ggufModels(names)]) {
    if (models.length === 1) return join(dir, models[0]!)
    if (models.length > 1) {
      throw new IftError(
        'IFT_FILE_AMBIGUOUS',
        `${dir} has ${models.length} files that could be the model: ${models.slice(0, 5).join(', ')}`,
        'Name the file instead of the folder.',
      )
    }
  }
  const isAdapter = names.some(isAdapterFile)
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
  if (path.endsWith('.bin.index.json')) {
    return new WeightSource(path, 'pytorch', await openSharded(path, openTorch))
  }
  if (path.endsWith('.safetensors')) {
    return new WeightSource(path, 'safetensors', (await openSafetensors(path)).tensors)
  }
  if (path.endsWith('.gguf')) {
    const file = await openGgufParts(path)
    return new WeightSource(file.path, 'gguf', file.tensors, file.metadata)
  }
  if (/\.(bin|pt|pth|ckpt)$/.test(path)) {
    return new WeightSource(path, 'pytorch', (await openTorch(path)).tensors)
  }
  throw unsupported(
    path,
    'is no checkpoint by its name',
    'Known are .safetensors, .bin, .pt, .pth, .ckpt and .gguf files and .index.json of sharded ones.',
  )
}
