import { readdir, stat } from 'node:fs/promises'
import { basename, dirname, join } from 'node:path'
import { IftError } from '@ift/tensor'
import type { AdapterFiles } from '../contract/peft.js'
import { adapterConfig, isAdapterFile } from '../files/adapter-files.js'
import { hashList, replaceDir, writeFileAtomic } from '../files/atomic.js'
import { corrupt, readFailed } from '../files/errors.js'
import { jsonObject, readJson } from '../files/read-json.js'
import {
  adapterFormats,
  writableFormats,
  type AdapterConfig,
  type OpenAdapter,
} from './adapter-formats/index.js'
import { storedType } from './numbers.js'
import { fromTensor, openSafetensors, withoutElements, writeSafetensors } from './safetensors.js'
import { readStored } from './stored.js'

/** Further files of an adapter's folder: contents by name, or a function that writes them (a tokenizer's `save`). */
export type AdapterExtras = ReadonlyMap<string, string | Uint8Array> | ((dir: string) => Promise<unknown>)

const written = Object.values(writableFormats)

/** Files that PEFT, AdapterHub and ift write into such folders, and that may be gone from the next version. */
const ours = (name: string) =>
  [adapterConfig, 'head_config.json', 'README.md', 'chat_template.jinja'].includes(name) ||
  isAdapterFile(name) ||
  /^(tokenizer|special_tokens_map|added_tokens|vocab|merges|template)\b.*\.(json|txt|model|jinja)$/.test(name)

/**
 * Writes an adapter in its format (that of Hugging Face PEFT when it names none): adapter_config.json and a safetensors file, with
 * `extras` beside them. The new files are opened and compared with the tensors, byte for byte, before they replace an older adapter.
 */
export async function writeAdapter(
  dir: string,
  files: AdapterFiles,
  extras: AdapterExtras = new Map(),
): Promise<void> {
  const format = writableFormats[files.format ?? 'peft']
  const write = async (to: string) => {
    await writeFileAtomic(join(to, adapterConfig), settingsText(format.settings(files.config)))
    const tensors = [...files.tensors].map(([name, tensor]) => fromTensor(name, tensor))
    const empty = [...(files.empty ?? [])].map(([name, shape]) => withoutElements(name, shape))
    const path = join(to, format.written)
    await writeSafetensors(path, [...tensors, ...empty])
    if (typeof extras === 'function') await extras(to)
    else for (const [name, content] of extras) await writeFileAtomic(join(to, name), content)
    await compare(path, files)
    await openAdapter(to)
  }
  await replaceDir(dir, write, { ours, kind: 'adapter', marks: [hashList] })
}

/** Python programs take a factor that is not the name of one for a float alone, which has a point: `"scaling": 1.0`. */
const settingsText = (settings: AdapterConfig): string =>
  `${JSON.stringify(settings, null, 2).replaceAll(/^( *"scaling": -?\d+)(?=,?$)/gm, '$1.0')}\n`

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
 * Opens an adapter: a folder in any of `adapterFormats`, or a file of it. Throws `IFT_ADAPTER_NOT_FOUND` that says what is there and what
 * is read, and `IFT_ADAPTER_CONFIG` for settings of an unknown kind.
 */
export async function openAdapter(dirOrFile: string): Promise<OpenAdapter> {
  let isFolder: boolean
  let names: string[]
  try {
    isFolder = (await stat(dirOrFile)).isDirectory()
    names = await readdir(isFolder ? dirOrFile : dirname(dirOrFile))
  } catch (error) {
    throw readFailed(dirOrFile, error)
  }
  const dir = isFolder ? dirOrFile : dirname(dirOrFile)
  const config = names.includes(adapterConfig) ? await readConfig(join(dir, adapterConfig)) : null
  const folder = { dir, names, config }
  const asked = isFolder || dirOrFile.endsWith('.json') ? undefined : basename(dirOrFile)
  for (const format of adapterFormats) {
    if (!(await format.fits(folder))) continue
    const weights = asked ?? format.weights.find((name) => names.includes(name))
    if (weights === undefined)
      throw notFound(
        dir,
        names,
        `its settings are ${format.program}'s, and it has no ${format.weights.join(' or ')}`,
      )
    return format.open(folder, join(dir, weights))
  }
  if (config === null) throw notFound(dir, names, `no ${adapterConfig}`)
  throw new IftError(
    'IFT_ADAPTER_CONFIG',
    `${join(dir, adapterConfig)}: neither "peft_type", as PEFT writes, nor "config", as AdapterHub writes; its fields are ${few(Object.keys(config))}.`,
    'Take the file from where the adapter was made.',
  )
}

const few = (names: readonly string[]): string =>
  `${names.slice(0, 8).join(', ') || 'none'}${names.length > 8 ? ', …' : ''}`

function notFound(dir: string, names: readonly string[], why: string): IftError {
  const readable = adapterFormats.map(
    ({ program, weights }) =>
      `${weights.join(' or ')} with ${written.some((one) => one.program === program) ? adapterConfig : 'config.json'} (${program})`,
  )
  const inside = names.includes('adapter') ? `There is a folder ${join(dir, 'adapter')}: name that. ` : ''
  const model = names.includes('config.json') ? 'It looks like a whole model: give it as the model. ' : ''
  return new IftError(
    'IFT_ADAPTER_NOT_FOUND',
    `${dir} holds no adapter: ${why}. Found: ${few(names.toSorted())}.`,
    `${inside}${model}Read are ${readable.join('; ')}.`,
  )
}

/** Its fields are checked by the method that reads the adapter. */
const readConfig = (path: string): Promise<AdapterConfig> =>
  readJson(path, jsonObject, {
    wrong: (problem) =>
      new IftError(
        'IFT_ADAPTER_CONFIG',
        `${path}: ${problem}.`,
        'Take the file from where the adapter was made.',
      ),
  })
