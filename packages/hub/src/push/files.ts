import { open, readdir, stat } from 'node:fs/promises'
import { join } from 'node:path'
import { readRegular } from '@ift/core'
import { findSecrets, type Finding, type Machine } from './secrets.js'

/** A file that is pushed. */
export interface PushedFile {
  readonly name: string
  readonly bytes: number
  /** Where it lies, or what is in it. */
  readonly content: { readonly path: string } | { readonly text: string }
}

/** What a folder of an adapter gives away, and what stays. */
export interface PushedFolder {
  readonly files: readonly PushedFile[]
  readonly left: readonly string[]
}

const isWeights = (name: string) =>
  /^(adapter_model|adapter|model_head|model_adapter_fusion)\.safetensors$/.test(name)

/** What an adapter is used with. Anything else in its folder stays: checkpoints, data, notes. */
const isPublished = (name: string) =>
  isWeights(name) ||
  [
    ...['README.md', 'loss.svg', 'LICENSE', 'LICENSE.txt', 'NOTICE'],
    ...['adapter_config.json', 'head_config.json', 'ift.json', 'chat_template.jinja'],
    ...['tokenizer.json', 'tokenizer.model', 'tokenizer_config.json', 'special_tokens_map.json'],
    ...['added_tokens.json', 'vocab.json', 'vocab.txt', 'merges.txt'],
  ].includes(name)

/** Files of an adapter's folder that are pushed, with those of the card in place of the folder's. */
export async function pushedFiles(dir: string, card: ReadonlyMap<string, string>): Promise<PushedFolder> {
  const entries = await readdir(dir, { withFileTypes: true })
  const files: PushedFile[] = []
  const left: string[] = []
  for (const entry of entries) {
    const { name } = entry
    if (card.has(name)) continue
    const path = join(dir, name)
    if (!entry.isFile() || !isPublished(name)) left.push(entry.isDirectory() ? `${name}/` : name)
    else files.push({ name, bytes: (await stat(path)).size, content: { path } })
  }
  for (const [name, text] of card) files.push({ name, bytes: Buffer.byteLength(text), content: { text } })
  const byName = (a: string, b: string) => (a < b ? -1 : 1)
  return { files: files.sort((a, b) => byName(a.name, b.name)), left: left.sort(byName) }
}

/** The largest text, a vocabulary of 262,000 tokens, has 35 MB. */
const mostTextBytes = 128 << 20

/** The header of a safetensors file has what somebody may write into it; of an adapter it has some hundred kB. */
const mostHeaderBytes = 100 << 20

/** Text of a file: all of it, or the header of a file of tensors, which is JSON on one line. */
async function textOf({ name, content }: PushedFile): Promise<string> {
  if ('text' in content) return content.text
  if (!isWeights(name)) return (await readRegular(content.path, mostTextBytes)).toString('utf8')
  const file = await open(content.path)
  try {
    const { buffer: length } = await file.read(Buffer.alloc(8), 0, 8, 0)
    const size = Number(length.readBigUInt64LE())
    if (size > mostHeaderBytes) return ''
    const { buffer } = await file.read(Buffer.alloc(size), 0, size, 8)
    return buffer.toString('utf8')
  } finally {
    await file.close()
  }
}

/** Tokens of a vocabulary are of no machine: what they look like is chance. */
const isVocabulary = (name: string) => /^(tokenizer\.(json|model)|vocab\.(json|txt)|merges\.txt)$/.test(name)

/** Keys, paths of homes and names of hosts in what would be pushed. */
export async function secretsIn(files: readonly PushedFile[], machine: Machine): Promise<Finding[]> {
  const found: Finding[] = []
  for (const file of files)
    if (!isVocabulary(file.name)) found.push(...findSecrets(file.name, await textOf(file), machine))
  return found
}
