import { mkdir, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import {
  IftError,
  type DecodeStream,
  type Encoding,
  type GgufValue,
  type PromptFrame,
  type Strip,
  type Tokenizer,
} from '@ift/core'
import type { NativeTokenizer } from './addon.js'
import { openBinding } from './binding.js'
import {
  byteDecoder,
  bytesOf,
  ByteStream,
  WindowStream,
  writtenAsTheyAre,
  type ByteDecoder,
} from './decode.js'
import { Encoder } from './encoder.js'
import { messageOf } from './errors.js'
import { fingerprintOf } from './fingerprint.js'
import { ggufKeysOf, type GgufTokens } from './gguf-keys.js'

export interface BoundTokenizerOptions extends Omit<GgufTokens, 'named'> {
  readonly named?: ReadonlyMap<string, string | readonly string[]>
  readonly chatTemplate: string | null
  /** tokenizer_config.json, for when the files below have none that goes with tokenizer.json. */
  readonly config: Readonly<Record<string, unknown>>
  /** Files to write as they are; tokenizer.json and tokenizer_config.json are generated when they are not among them. */
  readonly files: ReadonlyMap<string, Uint8Array>
}

/** A tokenizer over Hugging Face's `tokenizers`. */
export class BoundTokenizer implements Tokenizer {
  readonly vocabSize: number
  readonly bosId: number | null
  readonly eosId: number | null
  readonly specials: ReadonlyMap<string, number>
  readonly named: ReadonlyMap<string, string | readonly string[]>
  readonly strips: ReadonlyMap<string, Strip>
  readonly addBos: boolean
  readonly addEos: boolean
  readonly frame?: PromptFrame
  readonly chatTemplate: string | null
  readonly fingerprint: string
  readonly #options: BoundTokenizerOptions
  readonly #specialIds: ReadonlySet<number>
  /** Ids that a byte-level decoder does not spell. */
  readonly #written: ReadonlySet<number>
  readonly #bytes: ByteDecoder | null
  /** Treats special tokens as text. */
  readonly #plain: Encoder
  /** Knows every special token; opened when it is first asked for. */
  #full: Encoder | undefined
  #decoding: NativeTokenizer | undefined

  constructor(options: BoundTokenizerOptions) {
    const { json, vocabulary, bosId, eosId, addBos, addEos, frame } = options
    this.#options = options
    this.vocabSize = vocabulary.length
    this.bosId = bosId
    this.eosId = eosId
    this.addBos = addBos
    this.addEos = addEos
    if (frame) this.frame = frame
    this.chatTemplate = options.chatTemplate
    this.named = options.named ?? new Map()
    const specials = json.added_tokens.filter(({ special }) => special)
    this.specials = new Map(specials.map(({ content, id }) => [content, id]))
    this.strips = new Map(
      specials
        .filter(({ lstrip, rstrip }) => lstrip || rstrip)
        .map(({ content, lstrip, rstrip }) => [content, { left: lstrip, right: rstrip }]),
    )
    this.#specialIds = new Set(this.specials.values())
    this.#written = writtenAsTheyAre(json)
    this.#bytes = byteDecoder(json.decoder)
    this.fingerprint = fingerprintOf(json, vocabulary, { bosId, eosId, addBos, addEos, frame })
    this.#plain = new Encoder(json, options.file, false)
  }

  #encoder(specials: boolean): Encoder {
    if (!specials || this.specials.size === 0) return this.#plain
    return (this.#full ??= new Encoder(this.#options.json, this.#options.file, true))
  }

  async encode(text: string, options: { specials?: boolean } = {}): Promise<Encoding> {
    return (await this.encodeBatch([text], options))[0]!
  }

  encodeBatch(texts: readonly string[], options: { specials?: boolean } = {}): Promise<Encoding[]> {
    const encoder = this.#encoder(options.specials ?? false)
    return this.#run(() => encoder.encode(texts))
  }

  async decode(ids: ArrayLike<number>, { specials = false }: { specials?: boolean } = {}): Promise<string> {
    const kept = Array.from(ids).filter((id) => this.#shown(id, specials))
    if (!this.#bytes) return this.#run(() => this.#plainDecode(kept))
    const stream = new ByteStream(this.#bytes)
    return kept.map((id) => stream.push(this.token(id)!, this.#written.has(id))).join('') + stream.end()
  }

  decodeStream({ specials = false }: { specials?: boolean } = {}): DecodeStream {
    const bytes = this.#bytes && new ByteStream(this.#bytes)
    const inner: DecodeStream = bytes
      ? {
          push: (id) => Promise.resolve(bytes.push(this.token(id)!, this.#written.has(id))),
          end: () => Promise.resolve(bytes.end()),
        }
      : new WindowStream((ids) => this.#run(() => this.#plainDecode(ids)))
    return {
      push: (id) => (this.#shown(id, specials) ? inner.push(id) : Promise.resolve('')),
      end: () => inner.end(),
    }
  }

  bytes(id: number): Uint8Array | null {
    const token = this.token(id)
    if (token === undefined || !this.#bytes || this.#specialIds.has(id)) return null
    return bytesOf(this.#bytes, token, this.#written.has(id))
  }

  token(id: number): string | undefined {
    return this.#options.vocabulary[id]
  }

  gguf(rows: number, split?: string): Readonly<Record<string, GgufValue>> {
    return ggufKeysOf({ ...this.#options, named: this.named }, rows, split)
  }

  async save(dir: string): Promise<string[]> {
    const files = new Map(this.#options.files)
    if (!files.has('tokenizer.json')) {
      // The generated file holds all settings of the files beside the original.
      for (const name of [
        'tokenizer_config.json',
        'special_tokens_map.json',
        'added_tokens.json',
        'chat_template.jinja',
      ])
        files.delete(name)
      files.set('tokenizer.json', Buffer.from(JSON.stringify(this.#options.json, null, 1)))
    }
    if (!files.has('tokenizer_config.json'))
      files.set('tokenizer_config.json', Buffer.from(`${JSON.stringify(this.#options.config, null, 2)}\n`))
    try {
      await mkdir(dir, { recursive: true })
      for (const [name, bytes] of files) await writeFile(join(dir, name), bytes)
    } catch (cause) {
      throw new IftError(
        'IFT_FILE_WRITE',
        `The tokenizer could not be saved to ${dir}: ${messageOf(cause)}`,
        undefined,
        {
          cause,
        },
      )
    }
    return [...files.keys()].sort()
  }

  #shown(id: number, specials: boolean): boolean {
    return this.token(id) !== undefined && (specials || !this.#specialIds.has(id))
  }

  /** Specials that should not show are gone from the ids; the full instance knows the names of the others. */
  #plainDecode(ids: readonly number[]): Promise<string> {
    const { json, file } = this.#options
    const binding = (this.#decoding ??= this.#encoder(true).decodes ?? openBinding(json, file, new Map()))
    return binding.decode(ids)
  }

  async #run<T>(call: () => Promise<T>): Promise<T> {
    try {
      return await call()
    } catch (cause) {
      if (cause instanceof IftError) throw cause
      throw new IftError('IFT_TOKENIZER_FAILED', `${this.#options.file}: ${messageOf(cause)}`, undefined, {
        cause,
      })
    }
  }
}
