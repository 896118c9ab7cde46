import type { DecodeStream } from '@ift/core'
import { isUnigram, type ComponentJson, type TokenizerJson } from './tokenizer-json.js'

/** Bytes that a token stands for, as its vocabulary writes it. */
export interface ByteDecoder {
  bytes(token: string): Uint8Array
  /** Whether tokens that were added to the vocabulary are written as they are. */
  readonly addedAsWritten: boolean
  /** Blanks taken off the start of a text: SentencePiece's space in front. */
  readonly stripLeading: number
}

const utf8 = new TextEncoder()

/** Bytes of the characters of GPT-2's alphabet. */
let alphabet: ReadonlyMap<string, number> | undefined
function gpt2Alphabet(): ReadonlyMap<string, number> {
  if (alphabet) return alphabet
  const printable = (byte: number) =>
    (byte >= 0x21 && byte <= 0x7e) || (byte >= 0xa1 && byte <= 0xac) || (byte >= 0xae && byte <= 0xff)
  const entries: [string, number][] = []
  let next = 0x100
  for (let byte = 0; byte < 256; byte++) {
    entries.push([String.fromCodePoint(printable(byte) ? byte : next++), byte])
  }
  alphabet = new Map(entries)
  return alphabet
}

/** Characters of GPT-2's alphabet by byte. */
export function byteCharacters(): string[] {
  const characters: string[] = []
  for (const [character, byte] of gpt2Alphabet()) characters[byte] = character
  return characters
}

const byteLevel: ByteDecoder = {
  stripLeading: 0,
  // An é in one is the letter, not the byte that the alphabet spells with it.
  addedAsWritten: true,
  bytes(token) {
    const map = gpt2Alphabet()
    const bytes: number[] = []
    for (const character of token) {
      const byte = map.get(character)
      // No piece of this alphabet, which only damaged vocabularies have.
      if (byte === undefined) return utf8.encode(token)
      bytes.push(byte)
    }
    return Uint8Array.from(bytes)
  },
}

/** `replaced` holds what pieces spell and what it stands for, in the order in which they are replaced. */
const sentencePiece = (
  replaced: readonly (readonly [string, string])[],
  byteFallback: boolean,
  stripLeading: number,
): ByteDecoder => ({
  stripLeading,
  // SentencePiece's user-defined pieces write their blanks as any other does.
  addedAsWritten: false,
  bytes(token) {
    const byte = byteFallback ? /^<0x([0-9A-Fa-f]{2})>$/.exec(token) : null
    if (byte) return Uint8Array.of(parseInt(byte[1]!, 16))
    let text = token
    for (const [spelled, meant] of replaced) text = text.replaceAll(spelled, meant)
    return utf8.encode(text)
  },
})

/**
 * How tokens become bytes, for the decoders of byte-level BPE and of SentencePiece; null for any other, whose text of a
 * token may depend on its neighbours.
 */
export function byteDecoder(decoder: ComponentJson | null): ByteDecoder | null {
  if (!decoder) return null
  if (decoder.type === 'ByteLevel') return byteLevel
  const replacementOf = ({ replacement, prepend_scheme: scheme }: ComponentJson) =>
    typeof replacement === 'string'
      ? sentencePiece([[replacement, ' ']], false, scheme === 'never' ? 0 : 1)
      : null
  if (decoder.type === 'Metaspace') return replacementOf(decoder)
  if (decoder.type !== 'Sequence') return null
  const all = decoder['decoders'] as readonly ComponentJson[]
  const steps = all.filter(({ type }) => type !== 'Fuse')
  if (steps.length === 1 && steps[0]!.type !== 'Strip') {
    const only = byteDecoder(steps[0]!)
    if (only) return only
  }
  const replaced: [string, string][] = []
  let byteFallback = false
  let stripLeading = 0
  for (const step of steps)
    if (step.type === 'Replace') {
      const { String: pattern } = step['pattern'] as { String?: string }
      if (pattern === undefined || typeof step['content'] !== 'string') return null
      replaced.push([pattern, step['content']])
    } else if (step.type === 'ByteFallback') byteFallback = true
    else if (step.type === 'Strip') {
      // Before the tokens are one text it takes the blank of each.
      const fused = all.slice(0, all.indexOf(step)).some(({ type }) => type === 'Fuse')
      if (!fused || step['content'] !== ' ' || step['stop'] !== 0) return null
      stripLeading = step['start'] as number
    } else return null
  return sentencePiece(replaced, byteFallback, stripLeading)
}

/**
 * Ids of added tokens that are written as they are, not in GPT-2's alphabet. One that names a piece of the vocabulary (é is
 * the piece of the byte 0xE9) is that piece.
 */
export function writtenAsTheyAre({ added_tokens, model }: TokenizerJson): ReadonlySet<number> {
  const map = gpt2Alphabet()
  // Others come out the same.
  const spelled = added_tokens.filter(({ content }) => /[^\0-\x7f]/.test(content))
  if (spelled.length === 0) return new Set()
  const merges = isUnigram(model) ? [] : (model.merges ?? [])
  const products = new Set(
    merges.map((pair) => (typeof pair === 'string' ? pair.replace(' ', '') : pair.join(''))),
  )
  return new Set(
    spelled.filter(({ content }) => !map.has(content) && !products.has(content)).map(({ id }) => id),
  )
}

/** Bytes of a token; `asItIs`: it is no piece that the vocabulary spells. */
export const bytesOf = (decoder: ByteDecoder, token: string, asItIs: boolean): Uint8Array =>
  asItIs && decoder.addedAsWritten ? utf8.encode(token) : decoder.bytes(token)

/** Decodes token by token; a character leaves when its last byte has come. */
export class ByteStream {
  readonly #text = new TextDecoder('utf-8', { ignoreBOM: true })
  readonly #decoder: ByteDecoder
  #strip: number

  constructor(decoder: ByteDecoder) {
    this.#decoder = decoder
    this.#strip = decoder.stripLeading
  }

  /** `asItIs`: the token is no piece that the vocabulary spells. */
  push(token: string, asItIs: boolean): string {
    return this.#stripped(this.#text.decode(bytesOf(this.#decoder, token, asItIs), { stream: true }))
  }

  end(): string {
    return this.#stripped(this.#text.decode())
  }

  #stripped(text: string): string {
    let at = 0
    while (this.#strip > 0 && at < text.length)
      if (text[at] === ' ') {
        at++
        this.#strip--
      } else this.#strip = 0
    return text.slice(at)
  }
}

/**
 * Decodes with any decoder by decoding a window: the ids of the last text that left and those after it. What the window
 * gained is new. A window that ends in U+FFFD waits for the rest of the character, which has four bytes at most.
 */
export class WindowStream implements DecodeStream {
  readonly #decode: (ids: readonly number[]) => Promise<string>
  #sent: readonly number[] = []
  #sentText = ''
  #held: number[] = []

  constructor(decode: (ids: readonly number[]) => Promise<string>) {
    this.#decode = decode
  }

  async push(id: number): Promise<string> {
    this.#held.push(id)
    const text = await this.#decode([...this.#sent, ...this.#held])
    return text.endsWith('\ufffd') && this.#held.length < 4 ? '' : this.#emit(text)
  }

  async end(): Promise<string> {
    return this.#held.length === 0 ? '' : this.#emit(await this.#decode([...this.#sent, ...this.#held]))
  }

  async #emit(text: string): Promise<string> {
    const fresh = text.slice(this.#sentText.length)
    this.#sent = this.#held
    this.#held = []
    this.#sentText = await this.#decode(this.#sent)
    return fresh
  }
}
