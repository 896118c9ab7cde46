import { join } from 'node:path'
import type { TokenizerDefinition } from '@ift/core'
import { createTokenizer } from '../assemble.js'
import { byteLevel, byteLevelJson } from '../byte-level.js'
import { corrupt } from '../errors.js'
import { parseObject, readOptional, readSettings } from '../settings.js'
import { addedToken, type ComponentJson } from '../tokenizer-json.js'
import { exists, missing } from './files.js'

/** A vocab.json: ids by token. Throws IFT_FILE_CORRUPT for what is no id and for a gap. */
export function parseVocab(bytes: Uint8Array, file: string): Record<string, number> {
  const vocab = parseObject(bytes, file)
  const ids = Object.values(vocab)
  const seen = new Uint8Array(ids.length)
  for (const [token, id] of Object.entries(vocab)) {
    const field = JSON.stringify(token)
    if (typeof id !== 'number' || !Number.isInteger(id) || id < 0)
      throw corrupt(file, field, `expected an id, found ${JSON.stringify(id)}.`)
    if (id >= ids.length)
      throw corrupt(file, field, `the id ${id} leaves a gap: there are ${ids.length} tokens.`)
    if (seen[id]) throw corrupt(file, field, `the id ${id} belongs to another token as well.`)
    seen[id] = 1
  }
  return vocab as Record<string, number>
}

/** A merges.txt: '#version: …', then two tokens a line. Every part and its product must be in the vocabulary. */
export function parseMerges(
  bytes: Uint8Array,
  file: string,
  vocab: Readonly<Record<string, number>>,
): [string, string][] {
  const merges: [string, string][] = []
  for (const [i, line] of new TextDecoder().decode(bytes).split(/\r?\n/).entries()) {
    if (line === '' || (i === 0 && line.startsWith('#version'))) continue
    const parts = line.split(' ')
    const [left, right] = parts
    if (parts.length !== 2 || left === undefined || right === undefined || left === '' || right === '')
      throw corrupt(file, `line ${i + 1}`, `expected two tokens, found ${JSON.stringify(line)}.`)
    for (const token of [left, right, left + right])
      if (!Object.hasOwn(vocab, token))
        throw corrupt(file, `line ${i + 1}`, `${JSON.stringify(token)} is not in vocab.json.`)
    merges.push([left, right])
  }
  return merges
}

/** Splits of families whose files are those of GPT-2 and whose words are not, by transformers' class. */
const splits = new Map<string, { readonly pattern: string; readonly normalizer: ComponentJson }>([
  [
    'Qwen2Tokenizer',
    {
      pattern:
        "(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\\r\\n\\p{L}\\p{N}]?\\p{L}+|\\p{N}| ?[^\\s\\p{L}\\p{N}]+[\\r\\n]*|\\s*[\\r\\n]+|\\s+(?!\\S)|\\s+",
      normalizer: { type: 'NFC' },
    },
  ],
])

/** GPT-2's vocab.json and merges.txt, which later families took over. */
export const gpt2: TokenizerDefinition = {
  name: 'gpt2',
  detect: async (dir) => (await exists(dir, 'vocab.json')) && (await exists(dir, 'merges.txt')),
  async load(dir) {
    const [vocabFile, mergesFile] = [join(dir, 'vocab.json'), join(dir, 'merges.txt')]
    const [vocabBytes, mergeBytes, settings] = await Promise.all([
      readOptional(vocabFile),
      readOptional(mergesFile),
      readSettings(dir),
    ])
    if (!vocabBytes) throw missing(dir, ['vocab.json'])
    if (!mergeBytes) throw missing(dir, ['merges.txt'])
    const vocab = parseVocab(vocabBytes, vocabFile)
    const end = '<|endoftext|>'
    const split = splits.get(settings.tokenizerClass?.replace(/Fast$/, '') ?? '')
    const prefix = settings.addPrefixSpace ?? false
    const json = byteLevelJson({
      vocab,
      merges: parseMerges(mergeBytes, mergesFile, vocab),
      preTokenizer: split
        ? {
            type: 'Sequence',
            pretokenizers: [
              { type: 'Split', pattern: { Regex: split.pattern }, behavior: 'Isolated', invert: false },
              byteLevel(prefix, false),
            ],
          }
        : byteLevel(prefix, true),
      normalizer: split?.normalizer ?? null,
      added: Object.hasOwn(vocab, end) ? [addedToken(vocab[end]!, end)] : [],
    })
    return createTokenizer({
      json,
      file: vocabFile,
      settings,
      // GPT-2 uses one token for both ends.
      own: Object.hasOwn(vocab, end)
        ? {
            bosId: vocab[end]!,
            eosId: vocab[end]!,
            names: { unk_token: end, ...(split && { pad_token: end }) },
          }
        : {},
    })
  },
}
