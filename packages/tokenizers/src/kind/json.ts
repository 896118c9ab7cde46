import { join } from 'node:path'
import type { TokenizerDefinition } from '@ift/core'
import { createTokenizer } from '../assemble.js'
import { corrupt, kindOf } from '../errors.js'
import { parseSentencePiece } from '../sentencepiece/model.js'
import { parseObject, readOptional, readSettings } from '../settings.js'
import { addedToken, type AddedTokenJson, type TokenizerJson } from '../tokenizer-json.js'
import { exists, missing } from './files.js'

const name = 'tokenizer.json'

const isRecord = (value: unknown): value is Record<string, unknown> =>
  typeof value === 'object' && value !== null && !Array.isArray(value)

/** Checks what is relied on here; the rest is the binding's to check. */
export function parseTokenizerJson(bytes: Uint8Array, file: string): TokenizerJson {
  const json = parseObject(bytes, file)
  const model = json['model']
  if (!isRecord(model)) throw corrupt(file, 'model', `expected an object, found ${kindOf(model)}.`)
  const vocab = model['vocab']
  if (Array.isArray(vocab)) {
    for (const [id, entry] of (vocab as unknown[]).entries())
      if (!Array.isArray(entry) || typeof entry[0] !== 'string' || typeof entry[1] !== 'number')
        throw corrupt(file, `model.vocab[${id}]`, 'expected [text, score].')
  } else if (!isRecord(vocab))
    throw corrupt(file, 'model.vocab', `expected an object or a list, found ${kindOf(vocab)}.`)
  const merges = model['merges']
  if (model['type'] === 'BPE' && !Array.isArray(merges))
    throw corrupt(file, 'model.merges', `expected a list, found ${kindOf(merges)}.`)
  for (const [i, pair] of ((merges ?? []) as unknown[]).entries())
    if (!(
      typeof pair === 'string' ||
      (Array.isArray(pair) && pair.length === 2 && pair.every((p) => typeof p === 'string'))
    ))
      throw corrupt(file, `model.merges[${i}]`, 'expected two tokens.')
  const added = json['added_tokens'] ?? []
  if (!Array.isArray(added)) throw corrupt(file, 'added_tokens', `expected a list, found ${kindOf(added)}.`)
  const seen = new Set<string>()
  for (const [i, token] of (added as unknown[]).entries()) {
    if (!isRecord(token) || typeof token['content'] !== 'string' || typeof token['id'] !== 'number')
      throw corrupt(file, `added_tokens[${i}]`, 'expected an object with "id" and "content".')
    if (token['content'] === '' || seen.has(token['content']))
      throw corrupt(
        file,
        `added_tokens[${i}]`,
        `${JSON.stringify(token['content'])} is empty or there twice.`,
      )
    seen.add(token['content'])
  }
  const component = (field: string) => {
    const value = json[field] ?? null
    if (value !== null && !(isRecord(value) && typeof value['type'] === 'string'))
      throw corrupt(file, field, 'expected null or an object with "type".')
    return value as TokenizerJson['normalizer']
  }
  return {
    version: typeof json['version'] === 'string' ? json['version'] : '1.0',
    truncation: json['truncation'] ?? null,
    padding: json['padding'] ?? null,
    added_tokens: (added as AddedTokenJson[]).map((token) =>
      addedToken(token.id, token.content, { ...token }),
    ),
    normalizer: component('normalizer'),
    pre_tokenizer: component('pre_tokenizer'),
    post_processor: component('post_processor'),
    decoder: component('decoder'),
    model: model as unknown as TokenizerJson['model'],
  }
}

/** Hugging Face's tokenizer.json with the files beside it. */
export const tokenizerJson: TokenizerDefinition = {
  name,
  detect: (dir) => exists(dir, name),
  async load(dir) {
    const file = join(dir, name)
    const [bytes, original, settings] = await Promise.all([
      readOptional(file),
      readOptional(join(dir, 'tokenizer.model')),
      readSettings(dir),
    ])
    if (!bytes) throw missing(dir, [name])
    const files = new Map<string, Uint8Array>([[name, bytes]])
    if (original) files.set('tokenizer.model', original)
    return createTokenizer({
      json: parseTokenizerJson(bytes, file),
      file,
      settings,
      files,
      ...(original && { pieces: () => parseSentencePiece(original, join(dir, 'tokenizer.model')).pieces }),
    })
  },
}
