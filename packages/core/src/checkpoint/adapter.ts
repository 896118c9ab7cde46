import { readdir, stat } from 'node:fs/promises'
import { dirname, join } from 'node:path'
import { IftError } from '@ift/tensor'
import type { AdapterFiles, AdapterSource } from '../contract/peft.js'
import { hashList, replaceDir, writeFileAtomic } from '../files/atomic.js'
import { corrupt, readFailed } from '../files/errors.js'
import { jsonObject, readJson } from '../files/read-json.js'
import { storedType } from './numbers.js'
import { fromTensor, openSafetensors, withoutElements, writeSafetensors } from './safetensors.js'
import { readStored, type StoredTensor } from './stored.js'
import { openTorch } from './torch.js'
import { WeightSource } from './weight-source.js'

const configName = 'adapter_config.json'
const modelName = 'adapter_model.safetensors'
const torchName = 'adapter_model.bin'

/** Further files of an adapter's folder: contents by name, or a function that writes them (a tokenizer's `save`). */
export type AdapterExtras = ReadonlyMap<string, string | Uint8Array> | ((dir: string) => Promise<unknown>)

/** Files that PEFT and ift write into such folders, and that may be gone from the next version. */
const ours = (name: string) =>
  [configName, modelName, torchName, 'README.md', 'chat_template.jinja'].includes(name) ||
  /^(tokenizer|special_tokens_map|added_tokens|vocab|merges|template)\b.*\.(json|txt|model|jinja)$/.test(name)

/**
 * Writes an adapter as Hugging Face PEFT does: adapter_config.json and adapter_model.safetensors, with `extras`
 * beside them. The new files are opened and compared with the tensors, byte for byte, before they replace an older
 * adapter.
 */
export async function writeAdapter(
  dir: string,
  files: AdapterFiles,
  extras: AdapterExtras = new Map(),
): Promise<void> {
  const write = async (to: string) => {
    await writeFileAtomic(join(to, configName), JSON.stringify(files.config, null, 2) + '\n')
    const tensors = [...files.tensors].map(([name, tensor]) => fromTensor(name, tensor))
    const empty = [...(files.empty ?? [])].map(([name, shape]) => withoutElements(name, shape))
    await writeSafetensors(join(to, modelName), [...tensors, ...empty])
    if (typeof extras === 'function') await extras(to)
    else for (const [name, content] of extras) await writeFileAtomic(join(to, name), content)
    await compare(join(to, modelName), files)
    await openAdapter(to)
  }
  await replaceDir(dir, write, { ours, kind: 'adapter', marks: [hashList] })
}

async function compare(path: string, { tensors: expected, empty }: AdapterFiles): Promise<void> {
  const { tensors } = await openSafetensors(path)
  const differs = (name: string) =>
    corrupt(
      path,
      `tensor ${name} reads back otherwise than it was written`,
      'Check the disk, and save again.',
    )
  const count = expected.size + (empty?.size ?? 0)
  if (tensors.size !== count) throw corrupt(path, `expected ${count} tensors, found ${tensors.size}`)
  for (const [name, tensor] of expected) {
    const found = tensors.get(name)
    if (found?.dtype !== storedType(tensor.dtype) || found.shape.join() !== tensor.shape.join())
      throw differs(name)
    const [written, wanted] = [await readStored(found), await tensor.readBytes()]
    if (Buffer.compare(written, wanted) !== 0) throw differs(name)
  }
}

/**
 * Opens an adapter: a folder with adapter_config.json and adapter_model.safetensors (or .bin), or either file of it.
 * `IFT_ADAPTER_NOT_FOUND` says what is missing.
 */
export async function openAdapter(dirOrFile: string): Promise<AdapterSource> {
  let isFolder: boolean
  let names: string[]
  try {
    isFolder = (await stat(dirOrFile)).isDirectory()
    names = await readdir(isFolder ? dirOrFile : dirname(dirOrFile))
  } catch (error) {
    throw readFailed(dirOrFile, error)
  }
  const dir = isFolder ? dirOrFile : dirname(dirOrFile)
  const asked = isFolder || dirOrFile.endsWith('.json') ? undefined : dirOrFile
  const known = [modelName, torchName].find((name) => names.includes(name))
  const path = asked ?? (known === undefined ? undefined : join(dir, known))
  if (path === undefined || !names.includes(configName)) {
    throw new IftError(
      'IFT_ADAPTER_NOT_FOUND',
      `${dir} holds no adapter: ${path === undefined ? `neither ${modelName} nor ${torchName}` : `no ${configName}`}.`,
      names.includes('config.json')
        ? 'It looks like a whole model: give it as the model.'
        : 'Check the path.',
    )
  }
  const config = await readConfig(join(dir, configName))
  const isTorch = /\.(bin|pt)$/.test(path)
  const { tensors } = await (isTorch ? openTorch(path) : openSafetensors(path))
  return new StoredAdapter(path, config, tensors)
}

/** Its fields are checked by the method that reads the adapter. */
const readConfig = (path: string): Promise<Readonly<Record<string, unknown>>> =>
  readJson(path, jsonObject, {
    wrong: (problem) =>
      new IftError(
        'IFT_ADAPTER_CONFIG',
        `${path}: ${problem}.`,
        'Take the file from where the adapter was made.',
      ),
  })

class StoredAdapter implements AdapterSource {
  readonly #source: WeightSource

  constructor(
    readonly path: string,
    readonly config: Readonly<Record<string, unknown>>,
    tensors: ReadonlyMap<string, StoredTensor>,
  ) {
    this.#source = new WeightSource(path, 'safetensors', tensors)
  }

  names(): Iterable<string> {
    return this.#source.names()
  }

  shape(name: string): readonly number[] {
    return this.#source.info(name).shape
  }

  read(name: string): Promise<Float32Array> {
    return this.#source.read(name)
  }
}
