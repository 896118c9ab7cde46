import type { Tokenizer } from '@ift/core'
import { createTokenizer } from './assemble.js'
import { byteLevelJson } from './byte-level.js'
import { corrupt, kindOf, unsupported } from './errors.js'
import { splits } from './gguf-splits.js'
import { convertSentencePiece } from './sentencepiece/convert.js'
import { pieceType, type Piece } from './sentencepiece/model.js'
import { addedToken, type TokenizerJson } from './tokenizer-json.js'

/** Names for tokenizers of a GLM, which has tokens before every prompt. */
export const glmSplits: ReadonlySet<string> = new Set(['chatglm-spm', 'chatglm-bpe', 'glm4'])
const glmStarts = [
  ['[gMASK]', '<sop>'],
  ['[gMASK]', 'sop'],
] as const

/** Tokens of Phi-3 that the blanks behind them belong to in its tokenizer.json: all but those that begin and end a text. */
const takingBlanks = (json: TokenizerJson): TokenizerJson => ({
  ...json,
  added_tokens: json.added_tokens.map((token) =>
    ['<unk>', '<s>', '<|endoftext|>'].includes(token.content) ? token : { ...token, rstrip: true },
  ),
})

/** llama.cpp's texts end at a zero byte: its converter writes the piece of InternLM2 that is one as a dragon. */
const written = (architecture: string, text: string) =>
  architecture === 'internlm2' && text === '🐉' ? '\0' : text

/**
 * The tokenizer inside a GGUF file, of its metadata: `tokenizer.ggml.*` and `tokenizer.chat_template`. Models 'llama'
 * (SentencePiece BPE), 't5' (Unigram) and 'gpt2' (byte-level BPE). `file` is what errors name.
 * Throws IFT_FILE_CORRUPT naming the key, IFT_TOKENIZER_UNSUPPORTED for other models or ways to split text.
 */
export function fromGgufMetadata(metadata: ReadonlyMap<string, unknown>, file = 'GGUF'): Tokenizer {
  const key = (name: string) => `tokenizer.ggml.${name}`
  const typed = <T>(name: string, expected: string, test: (value: unknown) => value is T): T | undefined => {
    const value = metadata.get(key(name))
    if (value === undefined || test(value)) return value
    throw corrupt(file, key(name), `expected ${expected}, found ${kindOf(value)}.`)
  }
  const isText = (value: unknown) => typeof value === 'string'
  const isFlag = (value: unknown) => typeof value === 'boolean'
  const isList = (value: unknown): value is ArrayLike<unknown> =>
    Array.isArray(value) || (ArrayBuffer.isView(value) && !(value instanceof DataView))
  const texts = (name: string): string[] => {
    const list = typed(name, 'a list', isList)
    if (!list) throw corrupt(file, key(name), 'missing.')
    return Array.from(list, (text, i) => {
      if (typeof text !== 'string')
        throw corrupt(file, `${key(name)}[${i}]`, `expected a text, found ${kindOf(text)}.`)
      return text
    })
  }
  const tokens = texts('tokens')
  const numbers = (name: string): number[] | null => {
    const list = typed(name, 'a list', isList)
    if (!list) return null
    if (list.length !== tokens.length)
      throw corrupt(file, key(name), `${list.length} values for ${tokens.length} tokens.`)
    return Array.from(list, (value, i) => {
      if (typeof value !== 'number' || !Number.isFinite(value))
        throw corrupt(file, `${key(name)}[${i}]`, `expected a number, found ${String(value)}.`)
      return value
    })
  }
  const idOf = (name: string): number | undefined => {
    const id = metadata.get(key(name))
    if (id === undefined) return undefined
    if ((typeof id !== 'number' && typeof id !== 'bigint') || id < 0 || id >= tokens.length)
      throw corrupt(
        file,
        key(name),
        `expected an id below ${tokens.length}, found ${typeof id === 'number' ? id : kindOf(id)}.`,
      )
    return Number(id)
  }
  const model = typed('model', 'a text', isText)
  const types = numbers('token_type') ?? tokens.map(() => pieceType.normal)
  const chatTemplate = metadata.get('tokenizer.chat_template')
  const addBos = typed('add_bos_token', 'true or false', isFlag)
  const addEos = typed('add_eos_token', 'true or false', isFlag)
  const textOf = (name: string): string | undefined => {
    const id = idOf(name)
    return id === undefined ? undefined : tokens[id]
  }
  const architecture = String(metadata.get('general.architecture'))
  const maxLength = metadata.get(`${architecture}.context_length`)
  const pre = typed('pre', 'a text', isText) ?? 'default'
  // What stands before every prompt of a GLM, which llama.cpp leaves to its templates.
  const start = glmStarts.find((texts) => glmSplits.has(pre) && texts.every((text) => tokens.includes(text)))
  const assemble = (json: TokenizerJson, addBosDefault: boolean, pieces?: readonly Piece[]) =>
    createTokenizer({
      json,
      ...(pieces && { pieces: () => pieces }),
      file,
      own: {
        bosId: idOf('bos_token_id') ?? null,
        eosId: idOf('eos_token_id') ?? null,
        addBos: addBos ?? addBosDefault,
        addEos: addEos ?? false,
        chatTemplate: typeof chatTemplate === 'string' ? chatTemplate : null,
        names: {
          unk_token: textOf('unknown_token_id'),
          pad_token: textOf('padding_token_id'),
          // llama.cpp's spelling.
          sep_token: textOf('seperator_token_id'),
          cls_token: textOf('cls_token_id'),
          mask_token: textOf('mask_token_id'),
        },
        ...(typeof maxLength === 'number' && { maxLength }),
        ...(start && { frame: { before: start, after: [] } }),
      },
    })

  if (model === 'llama' || model === 't5') {
    const scores = numbers('scores')
    if (!scores) throw corrupt(file, key('scores'), 'missing.')
    const pieces = tokens.map((text, i): Piece => ({
      text: written(architecture, text),
      score: scores[i]!,
      type: types[i]!,
    }))
    const unkId = idOf('unknown_token_id') ?? pieces.findIndex(({ type }) => type === pieceType.unknown)
    if (unkId < 0)
      throw corrupt(file, key('unknown_token_id'), 'missing, and no token is of the type "unknown".')
    const charsMap = typed('precompiled_charsmap', 'a list', isList)
    const json = convertSentencePiece(
      {
        pieces,
        type: model === 'llama' ? 'bpe' : 'unigram',
        byteFallback: types.includes(pieceType.byte),
        unkId,
        bosId: null,
        eosId: null,
        padId: null,
        spaceAsSuffix: false,
        charsMap: Uint8Array.from((charsMap ?? []) as ArrayLike<number>),
        dummyPrefix: typed('add_space_prefix', 'true or false', isFlag) ?? true,
        removeExtraSpaces: typed('remove_extra_whitespaces', 'true or false', isFlag) ?? false,
        escapeSpaces: true,
      },
      file,
      // The converter asks for control pieces alone, and these of Baichuan's chats are user-defined ones.
      { specials: architecture === 'baichuan' ? tokens.filter((text) => /^<reserved_\d+>$/.test(text)) : [] },
    )
    return assemble(architecture === 'phi3' ? takingBlanks(json) : json, model === 'llama', pieces)
  }
  if (model !== 'gpt2')
    throw unsupported(file, key('model'), `"${String(model)}" is not supported, only llama, t5 and gpt2.`)
  const split = Object.hasOwn(splits, pre) ? splits[pre] : undefined
  if (!split)
    throw unsupported(
      file,
      key('pre'),
      `${JSON.stringify(pre)} names a way to split text that is not known, expected one of ${Object.keys(splits).join(', ')}.`,
      'Name the folder of the original tokenizer.json with "tokenizer" in the config (--tokenizer <folder>).',
    )
  const { addBos: addsBos = false, ...splitter } = split
  const vocab = Object.create(null) as Record<string, number>
  for (const [id, token] of tokens.entries()) {
    if (token in vocab)
      throw corrupt(file, `${key('tokens')}[${id}]`, `${JSON.stringify(token)} is there twice.`)
    vocab[token] = id
  }
  const merges = texts('merges').map((line, i): [string, string] => {
    // A token may begin with a blank only in files that do not use the byte alphabet, which are none.
    const [left, right, ...rest] = line.split(' ')
    if (
      !left ||
      !right ||
      rest.length > 0 ||
      !(left in vocab) ||
      !(right in vocab) ||
      !(left + right in vocab)
    )
      throw corrupt(
        file,
        `${key('merges')}[${i}]`,
        `${JSON.stringify(line)} is not two tokens that give a third.`,
      )
    return [left, right]
  })
  return assemble(
    byteLevelJson({
      vocab,
      merges,
      ...splitter,
      added: tokens.flatMap((content, id) =>
        types[id] === pieceType.control || types[id] === pieceType.unknown
          ? [addedToken(id, content)]
          : types[id] === pieceType.userDefined
            ? [addedToken(id, content, { special: false })]
            : [],
      ),
    }),
    addsBos,
  )
}
