import { join } from 'node:path'
import { IftError, jsonObject, mostVocabularyBytes, parseJson, readRegular } from '@ift/core'
import { corrupt, kindOf } from './errors.js'
import type { AddedTokenJson } from './tokenizer-json.js'

/** Bytes of a file of a vocabulary's size at most, or null when there is none. */
export async function readOptional(path: string): Promise<Uint8Array | null> {
  try {
    return await readRegular(path, mostVocabularyBytes)
  } catch (cause) {
    if (cause instanceof IftError && cause.code === 'IFT_FILE_NOT_FOUND') return null
    throw cause
  }
}

const isRecord = (value: unknown): value is Record<string, unknown> =>
  typeof value === 'object' && value !== null && !Array.isArray(value)

export const parseObject = (bytes: Uint8Array, path: string): Record<string, unknown> =>
  parseJson(path, bytes, jsonObject, {
    hint: 'Fetch the file again, or take the tokenizer files of the original model.',
  })

/** Settings of a tokenizer from the files beside it. */
export interface TokenizerSettings {
  /** File that errors about these settings name. */
  readonly file: string
  readonly tokenizerClass: string | null
  readonly legacy: boolean | null
  readonly addPrefixSpace: boolean | null
  readonly addBos: boolean | null
  readonly addEos: boolean | null
  /** tokenizer_config.json as it is. */
  readonly config: Readonly<Record<string, unknown>>
  /** Text of bos_token, eos_token and so on; absent when the files name none. */
  readonly names: Readonly<Partial<Record<SpecialName, string>>>
  readonly additional: readonly string[]
  /** Texts of all special tokens that the files name, those of `names` and `additional_special_tokens` included. */
  readonly named: ReadonlyMap<string, string | readonly string[]>
  /** Tokens with their ids, beyond those of the tokenizer itself. */
  readonly added: readonly (Partial<AddedTokenJson> & { readonly id: number; readonly content: string })[]
  readonly chatTemplate: string | null
  /** The files as they are, by name. */
  readonly files: ReadonlyMap<string, Uint8Array>
}

export const specialNames = [
  'bos_token',
  'eos_token',
  'unk_token',
  'pad_token',
  'cls_token',
  'sep_token',
  'mask_token',
] as const
export type SpecialName = (typeof specialNames)[number]

const settingFiles = [
  'tokenizer_config.json',
  'special_tokens_map.json',
  'added_tokens.json',
  'chat_template.jinja',
]

/** A special token is written as its text or as { content, lstrip, … }. */
function contentOf(value: unknown, path: string, field: string): string | null {
  if (value === undefined || value === null) return null
  const content = isRecord(value) ? value['content'] : value
  if (typeof content !== 'string')
    throw corrupt(path, field, `expected a text or an object with "content", found ${kindOf(value)}.`)
  return content
}

function booleanOf(config: Record<string, unknown>, field: string, path: string): boolean | null {
  const value = config[field]
  if (value === undefined || value === null) return null
  if (typeof value !== 'boolean')
    throw corrupt(path, field, `expected true or false, found ${JSON.stringify(value)}.`)
  return value
}

/** One template, or a list of named templates; "default" is taken. */
function templateOf(value: unknown, path: string): string | null {
  if (value === undefined || value === null || typeof value === 'string') return value ?? null
  if (
    !Array.isArray(value) ||
    !value.every((entry) => isRecord(entry) && typeof entry['template'] === 'string')
  )
    throw corrupt(path, 'chat_template', 'expected a text or a list of { name, template }.')
  const entries = value as { name?: unknown; template: string }[]
  return (entries.find(({ name }) => name === 'default') ?? entries[0])?.template ?? null
}

/** Reads tokenizer_config.json, special_tokens_map.json, added_tokens.json and chat_template.jinja, all optional. */
export async function readSettings(dir: string): Promise<TokenizerSettings> {
  const found = await Promise.all(settingFiles.map((name) => readOptional(join(dir, name))))
  const files = new Map<string, Uint8Array>()
  for (const [i, bytes] of found.entries()) if (bytes) files.set(settingFiles[i]!, bytes)
  const objectIn = (name: string) => {
    const bytes = files.get(name)
    return bytes ? parseObject(bytes, join(dir, name)) : {}
  }
  const path = join(dir, 'tokenizer_config.json')
  const config = objectIn('tokenizer_config.json')
  const mapPath = join(dir, 'special_tokens_map.json')
  const map = objectIn('special_tokens_map.json')

  const names: Partial<Record<SpecialName, string>> = {}
  for (const name of specialNames) {
    const text = contentOf(config[name], path, name) ?? contentOf(map[name], mapPath, name)
    if (text !== null) names[name] = text
  }
  const listOf = (source: Record<string, unknown>, file: string) => {
    const list = source['additional_special_tokens'] ?? []
    if (!Array.isArray(list))
      throw corrupt(file, 'additional_special_tokens', `expected a list, found ${kindOf(list)}.`)
    return list.map((entry, i) => contentOf(entry, file, `additional_special_tokens[${i}]`) ?? '')
  }
  const additional = [...new Set([...listOf(config, path), ...listOf(map, mapPath)])].filter(
    (text) => text !== '',
  )

  const named = new Map<string, string | readonly string[]>(Object.entries(names))
  const extra = config['extra_special_tokens'] ?? map['extra_special_tokens']
  for (const source of [isRecord(extra) ? extra : {}, map, config])
    for (const [name, value] of Object.entries(source)) {
      // add_bos_token and the like are settings.
      const text = isRecord(value) ? value['content'] : value
      if (name.endsWith('_token') && typeof text === 'string' && !named.has(name)) named.set(name, text)
    }
  if (additional.length > 0) named.set('additional_special_tokens', additional)

  const added = new Map<number, TokenizerSettings['added'][number]>()
  const addedPath = join(dir, 'added_tokens.json')
  for (const [content, id] of Object.entries(objectIn('added_tokens.json'))) {
    if (typeof id !== 'number' || !Number.isInteger(id) || id < 0)
      throw corrupt(addedPath, JSON.stringify(content), `expected an id, found ${JSON.stringify(id)}.`)
    added.set(id, { id, content })
  }
  const decoder = config['added_tokens_decoder'] ?? {}
  if (!isRecord(decoder))
    throw corrupt(path, 'added_tokens_decoder', `expected an object, found ${kindOf(decoder)}.`)
  for (const [key, token] of Object.entries(decoder)) {
    const field = `added_tokens_decoder[${key}]`
    if (!/^\d{1,9}$/.test(key) || !isRecord(token) || typeof token['content'] !== 'string')
      throw corrupt(path, field, 'expected an id and an object with "content".')
    const flag = (name: string) => booleanOf(token, name, path) ?? false
    added.set(Number(key), {
      id: Number(key),
      content: token['content'],
      special: flag('special'),
      lstrip: flag('lstrip'),
      rstrip: flag('rstrip'),
      single_word: flag('single_word'),
      normalized: flag('normalized'),
    })
  }
  const jinja = files.get('chat_template.jinja')
  const tokenizerClass = config['tokenizer_class']
  return {
    file: path,
    config,
    tokenizerClass: typeof tokenizerClass === 'string' ? tokenizerClass : null,
    legacy: booleanOf(config, 'legacy', path),
    addPrefixSpace: booleanOf(config, 'add_prefix_space', path),
    addBos: booleanOf(config, 'add_bos_token', path),
    addEos: booleanOf(config, 'add_eos_token', path),
    names,
    additional,
    named,
    added: [...added.values()].sort((a, b) => a.id - b.id),
    chatTemplate: jinja ? new TextDecoder().decode(jinja) : templateOf(config['chat_template'], path),
    files,
  }
}

/** Settings of a tokenizer that has no files beside it. */
export const noSettings = (file: string): TokenizerSettings => ({
  file,
  config: {},
  tokenizerClass: null,
  legacy: null,
  addPrefixSpace: null,
  addBos: null,
  addEos: null,
  names: {},
  additional: [],
  named: new Map(),
  added: [],
  chatTemplate: null,
  files: new Map(),
})
