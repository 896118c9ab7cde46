import type { Encoding, Tokenizer } from '../contract/tokenizer.js'

export interface WordTokenizerOptions {
  /** Words, each also with a space in front, that are one token. */
  readonly words?: readonly string[]
  readonly specials?: readonly string[]
  readonly addBos?: boolean
  /** A space in front of a text: of every piece between special tokens, of the first one only, or none (SentencePiece). */
  readonly prefixSpace?: 'every' | 'first' | 'none'
  readonly chatTemplate?: string
}

const commonWords = [
  'the',
  'instruction',
  'Instruction',
  'Response',
  'response',
  'task',
  'request',
  'that',
  'Human',
  'USER',
]

/**
 * A small real tokenizer for tests without files: ids 0..n-1 are special tokens ('<s>' 0, '</s>' 1, …), then the 256
 * bytes, then words. Longest match, bytes for the rest; the tokens of one character share its offsets.
 */
export function wordTokenizer(options: WordTokenizerOptions = {}): Tokenizer {
  const { words = commonWords, addBos = true, prefixSpace = 'none' } = options
  const specialNames = ['<s>', '</s>', ...(options.specials ?? [])]
  const specials = new Map(specialNames.map((name, id) => [name, id]))
  const firstByte = specialNames.length
  const pieces = words.flatMap((word) => [word, ` ${word}`])
  const pieceIds = new Map(pieces.map((piece, i) => [piece, firstByte + 256 + i]))
  const longest = pieces.reduce((length, piece) => Math.max(length, piece.length), 1)
  const vocabSize = firstByte + 256 + pieces.length
  const utf8 = new TextEncoder()

  const plain = (text: string, start: number, ids: number[], offsets: number[]) => {
    for (let at = 0; at < text.length;) {
      let length = Math.min(longest, text.length - at)
      while (length > 1 && !pieceIds.has(text.slice(at, at + length))) length--
      const known = length > 1 ? pieceIds.get(text.slice(at, at + length)) : undefined
      if (known !== undefined) {
        ids.push(known)
        offsets.push(start + at, start + at + length)
        at += length
        continue
      }
      const character = String.fromCodePoint(text.codePointAt(at)!)
      for (const byte of utf8.encode(character)) {
        ids.push(firstByte + byte)
        offsets.push(start + at, start + at + character.length)
      }
      at += character.length
    }
  }
  const piece = (text: string, start: number, first: boolean, ids: number[], offsets: number[]) => {
    if (text === '') return
    if (prefixSpace === 'every' || (prefixSpace === 'first' && first)) {
      const at = offsets.length
      plain(` ${text}`, start - 1, ids, offsets)
      for (let i = at; i < offsets.length; i++) offsets[i] = Math.max(start, offsets[i]!)
    } else plain(text, start, ids, offsets)
  }
  const encode = (text: string, withSpecials: boolean): Encoding => {
    const ids: number[] = []
    const offsets: number[] = []
    let at = 0
    if (withSpecials) {
      const pattern = specialNames.map((name) => name.replace(/[.*+?^${}()|[\]\\]/g, '\\$&')).join('|')
      for (const match of text.matchAll(new RegExp(pattern, 'g'))) {
        piece(text.slice(at, match.index), at, at === 0, ids, offsets)
        ids.push(specials.get(match[0])!)
        offsets.push(match.index, match.index + match[0].length)
        at = match.index + match[0].length
      }
    }
    piece(text.slice(at), at, at === 0, ids, offsets)
    return { ids: Int32Array.from(ids), offsets: Int32Array.from(offsets) }
  }
  const bytesOf = (id: number): Uint8Array =>
    id < firstByte
      ? utf8.encode(specialNames[id])
      : id < firstByte + 256
        ? Uint8Array.of(id - firstByte)
        : utf8.encode(pieces[id - firstByte - 256])
  const decode = (ids: ArrayLike<number>, withSpecials: boolean) =>
    Buffer.concat(
      Array.from(ids)
        .filter((id) => withSpecials || id >= firstByte)
        .map(bytesOf),
    ).toString('utf8')

  return {
    vocabSize,
    bosId: 0,
    eosId: 1,
    specials,
    addBos,
    addEos: false,
    chatTemplate: options.chatTemplate ?? null,
    fingerprint: `words:${JSON.stringify([specialNames, words, prefixSpace])}`,
    encode: (text, { specials: on = false } = {}) => Promise.resolve(encode(text, on)),
    encodeBatch: (texts, { specials: on = false } = {}) =>
      Promise.resolve(texts.map((text) => encode(text, on))),
    decode: (ids, { specials: on = false } = {}) => Promise.resolve(decode(ids, on)),
    decodeStream({ specials: on = false } = {}) {
      const decoder = new TextDecoder()
      return {
        push: (id) =>
          Promise.resolve(id < firstByte && !on ? '' : decoder.decode(bytesOf(id), { stream: true })),
        end: () => Promise.resolve(decoder.decode()),
      }
    },
    token: (id) => (id >= 0 && id < vocabSize ? decode([id], true) : undefined),
    save: () => Promise.resolve([]),
  }
}
