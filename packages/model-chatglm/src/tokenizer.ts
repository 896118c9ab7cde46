import { join } from 'node:path'
import { IftError, jsonObject, readJson, type Tokenizer, type TokenizerDefinition } from '@ift/core'
import {
  addedToken,
  convertSentencePiece,
  createTokenizer,
  exists,
  isTiktoken,
  parseSentencePiece,
  parseTiktoken,
  readOptional,
  readSettings,
  tiktokenJson,
  type TokenizerSettings,
} from '@ift/tokenizers'
import { ShiftedTokenizer } from './shifted-tokenizer.js'

const firstFile = 'ice_text.model'
const laterFile = 'tokenizer.model'
const classes = ['ChatGLMTokenizer', 'ChatGLM4Tokenizer']

/** Tokens of ChatGLM-6B that never come from text. */
const firstSpecials = [
  '<pad>',
  '</s>',
  '[MASK]',
  '[gMASK]',
  '[sMASK]',
  '<unused_0>',
  '<sop>',
  '<eop>',
  '<ENC>',
  '<dBLOCK>',
]
const masks = ['[MASK]', '[gMASK]', '[sMASK]']
const roles = ['<|system|>', '<|user|>', '<|assistant|>', '<|observation|>']
/** What stands behind the ranks of GLM-4, for folders whose tokenizer_config.json does not list it. */
const glm4Specials = [
  '<|endoftext|>',
  ...masks,
  '<sop>',
  '<eop>',
  ...roles,
  '<|begin_of_image|>',
  '<|end_of_image|>',
  '<|begin_of_video|>',
  '<|end_of_video|>',
]
const longestBlank = 80

/** Line ends, tabs and runs of blanks as ChatGLM-6B spells them, the longest run first. */
export const spelled: readonly (readonly [text: string, piece: string])[] = [
  ['\n', '<n>'],
  ['\t', '<|tab|>'],
  ...Array.from({ length: longestBlank - 1 }, (_, i) => longestBlank - i).map(
    (length) => [' '.repeat(length), `<|blank_${length}|>`] as const,
  ),
]

/** A JSON file of the folder; {} when it is missing or not JSON, which other readers report. */
async function optionalJson(dir: string, name: string): Promise<Record<string, unknown>> {
  try {
    return await readJson(join(dir, name), jsonObject)
  } catch {
    return {}
  }
}

async function isChatGlm(dir: string): Promise<boolean> {
  const { tokenizer_class: tokenizerClass } = await optionalJson(dir, 'tokenizer_config.json')
  if (typeof tokenizerClass === 'string') return classes.includes(tokenizerClass)
  return (await optionalJson(dir, 'config.json'))['model_type'] === 'chatglm'
}

/** ChatGLM-6B: blanks and line ends have pieces of their own, [gMASK] and <sop> stand behind a prompt. */
async function loadFirst(dir: string, bytes: Uint8Array, settings: TokenizerSettings): Promise<Tokenizer> {
  const file = join(dir, firstFile)
  const model = parseSentencePiece(bytes, file)
  const pieces = new Set(model.pieces.map(({ text }) => text))
  const specials = firstSpecials.filter((text) => pieces.has(text))
  for (const text of ['[gMASK]', '<sop>', '<eop>'])
    if (!pieces.has(text))
      throw new IftError(
        'IFT_FILE_CORRUPT',
        `${file}: pieces: there is no ${text}.`,
        'Take ice_text.model from the final release of ChatGLM-6B; the first one was completed by code.',
      )
  const idOf = (text: string) => model.pieces.findIndex((piece) => piece.text === text)
  const inner = createTokenizer({
    json: convertSentencePiece(model, file, {
      spelled: spelled.filter(([, piece]) => pieces.has(piece)),
      specials,
    }),
    file,
    settings: { ...settings, added: [], names: {} },
    own: {
      bosId: idOf('<sop>'),
      eosId: idOf('<eop>'),
      addBos: false,
      addEos: false,
      frame: { before: [], after: ['[gMASK]', '<sop>'] },
      names: { unk_token: '<unk>', pad_token: '<pad>', mask_token: '[MASK]' },
    },
    files: new Map([[firstFile, bytes]]),
  })
  const images = (await optionalJson(dir, 'tokenizer_config.json'))['num_image_tokens'] ?? 0
  if (typeof images !== 'number' || !Number.isSafeInteger(images) || images < 0)
    throw new IftError(
      'IFT_FILE_CORRUPT',
      `${settings.file}: num_image_tokens: expected 0 or more, found ${JSON.stringify(images)}.`,
      'Fetch the file again, or take the tokenizer files of the original model.',
    )
  return images === 0
    ? inner
    : new ShiftedTokenizer(inner, images, new Map([[firstFile, bytes]]), settings.config)
}

/** Whether a folder is of ChatGLM3, whose tokenizer knows roles: its code tells, or else its names. */
async function hasRoles(dir: string): Promise<boolean> {
  const code = await readOptional(join(dir, 'tokenization_chatglm.py'))
  if (code) return Buffer.from(code).includes('<|observation|>')
  const files = [await optionalJson(dir, 'tokenizer_config.json'), await optionalJson(dir, 'config.json')]
  const names = files.flatMap((json) => [json['name_or_path'], json['_name_or_path']])
  return !/(chatglm2|codegeex2)/i.test(`${names.filter((name) => typeof name === 'string').join(' ')} ${dir}`)
}

/** ChatGLM2 and ChatGLM3: SentencePiece with special tokens behind its pieces, [gMASK] and sop before a text. */
async function loadSentencePiece(
  dir: string,
  bytes: Uint8Array,
  settings: TokenizerSettings,
): Promise<Tokenizer> {
  const file = join(dir, laterFile)
  const model = parseSentencePiece(bytes, file)
  const json = convertSentencePiece(model, file)
  const specials = [...masks, 'sop', 'eop', ...((await hasRoles(dir)) ? roles : [])]
  const added = specials.map((text, i) => addedToken(model.pieces.length + i, text))
  return createTokenizer({
    json: { ...json, added_tokens: [...json.added_tokens, ...added] },
    file,
    pieces: () => model.pieces,
    // The names that a config may give are those of the pieces.
    settings: { ...settings, names: {}, added: settings.added.filter(({ id }) => id < model.pieces.length) },
    own: {
      bosId: model.bosId,
      eosId: model.eosId,
      addBos: false,
      addEos: false,
      frame: { before: ['[gMASK]', 'sop'], after: [] },
      names: { unk_token: '<unk>', pad_token: '<unk>' },
    },
    files: new Map([[laterFile, bytes]]),
  })
}

/** GLM-4 before its conversion for transformers: ranks of byte sequences, [gMASK] and <sop> before a text. */
function loadTiktoken(dir: string, bytes: Uint8Array, settings: TokenizerSettings): Tokenizer {
  const file = join(dir, laterFile)
  const tokens = parseTiktoken(bytes, file)
  const added =
    settings.added.length > 0 ? [] : glm4Specials.map((text, i) => addedToken(tokens.length + i, text))
  const known = added.length > 0 ? added : settings.added
  const end = known.find(({ content }) => content === '<|endoftext|>')
  return createTokenizer({
    json: tiktokenJson(tokens, added),
    file,
    settings,
    own: {
      bosId: null,
      ...(end && { eosId: end.id }),
      addBos: false,
      addEos: false,
      frame: { before: ['[gMASK]', '<sop>'], after: [] },
    },
    files: new Map([[laterFile, bytes]]),
  })
}

/** The tokenizers of ChatGLM and GLM-4 that are written in Python around a vocabulary file, read without that code. */
export const chatglmTokenizer: TokenizerDefinition = {
  name: 'chatglm',
  async detect(dir) {
    if (await exists(dir, 'tokenizer.json')) return false
    return (await exists(dir, firstFile)) || ((await exists(dir, laterFile)) && (await isChatGlm(dir)))
  },
  async load(dir) {
    const [first, later, settings] = await Promise.all([
      readOptional(join(dir, firstFile)),
      readOptional(join(dir, laterFile)),
      readSettings(dir),
    ])
    if (first) return loadFirst(dir, first, settings)
    if (!later)
      throw new IftError(
        'IFT_TOKENIZER_MISSING',
        `${dir}: there is no ${firstFile} and no ${laterFile}.`,
        'Copy the tokenizer files of the model into that folder, or name their folder with "tokenizer" in the config.',
      )
    return isTiktoken(later) ? loadTiktoken(dir, later, settings) : loadSentencePiece(dir, later, settings)
  },
}
