import { existsSync } from 'node:fs'
import { join } from 'node:path'
import type { TokenizerDefinition } from '@ift/core'
import { corrupt } from '../errors.js'
import { HfTokenizer } from '../hf-tokenizer.js'
import { readJsonFile, readPolicy } from '../policy.js'
import type { TokenizerJson } from '../tokenizer-json.js'

const fileName = 'tokenizer.json'

/** Checks the parts that are read here; the binding checks the rest. */
function checked(json: Readonly<Record<string, unknown>>, path: string): TokenizerJson {
  const { model } = json
  if (typeof model !== 'object' || model === null || !('vocab' in model))
    throw corrupt(path, 'model.vocab', 'there is no vocabulary.')
  const added = json['added_tokens'] ?? []
  if (!Array.isArray(added)) throw corrupt(path, 'added_tokens', 'expected a list.')
  for (const [i, token] of (added as readonly unknown[]).entries()) {
    const { id, content } = token as { id?: unknown; content?: unknown }
    if (!Number.isInteger(id) || typeof content !== 'string')
      throw corrupt(path, `added_tokens[${i}]`, 'expected an id and a content.')
  }
  const absent = { normalizer: null, pre_tokenizer: null, post_processor: null, decoder: null }
  return { ...absent, ...json, added_tokens: added } as unknown as TokenizerJson
}

/** Hugging Face's tokenizer.json: BPE, Unigram, WordPiece with their normalizers and decoders. */
export const tokenizerJson: TokenizerDefinition = {
  name: 'tokenizer.json',
  detect: (dir) => Promise.resolve(existsSync(join(dir, fileName))),
  async load(dir) {
    const path = join(dir, fileName)
    const read = await readJsonFile(path)
    if (!read) throw corrupt(path, '', 'is not there.')
    const json = checked(read, path)
    return new HfTokenizer(json, await readPolicy(dir, json), path)
  },
}
