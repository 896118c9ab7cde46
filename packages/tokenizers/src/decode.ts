import { byteLevelAlphabet } from 'tokenizers'
import type { DecodeStream } from '@ift/core'
import type { ComponentJson } from './tokenizer-json.js'

/** Bytes that a token stands for, as its vocabulary writes it. */
export interface ByteDecoder {
  bytes(token: string): Uint8Array
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
  const known = new Set(byteLevelAlphabet())
  const entries: [string, number][] = []
  let next = 0x100
  for (let byte = 0; byte < 256; byte++) {
    const character = String.fromCodePoint(printable(byte) ? byte : next++)
    if (known.has(character)) entries.push([character, byte])
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
  bytes(token) {
    const map = gpt2Alphabet()
    const bytes: number[] = []
    for (const character of token) {
      const byte = map.get(character)
      // An added token is written as it is, in any characters.
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
  const steps = decoder['decoders'] as readonly ComponentJson[]
  if (steps.length === 1) return byteDecoder(steps[0]!)
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
      if (step['content'] !== ' ' || step['stop'] !== 0) return null
      stripLeading = step['start'] as number
    } else if (step.type !== 'Fuse') return null
  return sentencePiece(replaced, byteFallback, stripLeading)
}

/** Decodes token by token; a character leaves when its last byte has come. */
export class ByteStream {
  readonly #text = new TextDecoder('utf-8', { ignoreBOM: true })
  readonly #decoder: ByteDecoder
  #strip: number

  constructor(decoder: ByteDecoder) {
    this.#decoder = decoder
    this.#strip = decoder.stripLeading
  }

  push(token: string): string {
    return this.#stripped(this.#text.decode(this.#decoder.bytes(token), { stream: true }))
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
