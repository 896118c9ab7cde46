import { copyFile, mkdir, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import type { Tokenizer as Binding } from 'tokenizers'
import type { DecodeStream, Encoding, Tokenizer } from '@ift/core'
import { openBinding } from './binding.js'
import { byteDecoder, ByteStream, WindowStream } from './decode.js'
import { fingerprintOf } from './fingerprint.js'
import { utf16Offsets } from './offsets.js'
import type { TokenizerJson } from './tokenizer-json.js'
import { vocabularyOf } from './vocabulary.js'

/** What the files beside a vocabulary say about its use. */
export interface Policy {
  readonly bos: string | null
  readonly eos: string | null
  readonly addBos: boolean
  readonly addEos: boolean
  readonly chatTemplate: string | null
  /** tokenizer_config.json as it was, to be written again. */
  readonly config: Readonly<Record<string, unknown>>
  /** Files to copy when the tokenizer is saved, such as tokenizer.model. */
  readonly originals: readonly string[]
}

/** A tokenizer described by a tokenizer.json structure, run by Hugging Face's `tokenizers`. */
export class HfTokenizer implements Tokenizer {
  readonly vocabSize: number
  readonly bosId: number | null
  readonly eosId: number | null
  readonly specials: ReadonlyMap<string, number>
  readonly addBos: boolean
  readonly addEos: boolean
  readonly chatTemplate: string | null
  readonly fingerprint: string
  readonly #json: TokenizerJson
  readonly #policy: Policy
  readonly #file: string
  readonly #tokens: readonly (string | undefined)[]
  readonly #specialIds: ReadonlySet<number>
  /** Text that looks like a special token is text. */
  readonly #plain: Binding
  #withSpecials: Binding | null = null

  /** `file` names the source in errors. */
  constructor(json: TokenizerJson, policy: Policy, file: string) {
    this.#json = json
    this.#policy = policy
    this.#file = file
    this.#tokens = vocabularyOf(json, file)
    this.vocabSize = this.#tokens.length
    this.specials = new Map(
      json.added_tokens.filter(({ special }) => special).map(({ content, id }) => [content, id]),
    )
    this.#specialIds = new Set(this.specials.values())
    const idOf = (token: string | null) => {
      if (token === null || token === '') return null
      const id = this.specials.get(token) ?? this.#tokens.indexOf(token)
      return id < 0 ? null : id
    }
    this.bosId = idOf(policy.bos)
    this.eosId = idOf(policy.eos)
    this.addBos = policy.addBos
    this.addEos = policy.addEos
    this.chatTemplate = policy.chatTemplate
    this.fingerprint = fingerprintOf(json, this.#tokens, {
      bos: this.bosId,
      eos: this.eosId,
      addBos: this.addBos,
      addEos: this.addEos,
    })
    this.#plain = openBinding(json, file, false)
  }

  #binding(specials: boolean | undefined): Binding {
    return specials ? (this.#withSpecials ??= openBinding(this.#json, this.#file, true)) : this.#plain
  }

  async encode(text: string, options: { specials?: boolean } = {}): Promise<Encoding> {
    return (await this.encodeBatch([text], options))[0]!
  }

  async encodeBatch(texts: readonly string[], options: { specials?: boolean } = {}): Promise<Encoding[]> {
    if (!texts.length) return []
    // A lone surrogate cannot be written as UTF-8; U+FFFD takes its place, one for one.
    const clean = texts.map((text) => text.toWellFormed())
    const encoded = await this.#binding(options.specials).encodeBatch(clean, {
      addSpecialTokens: false,
    })
    return encoded.map((encoding, i) => ({
      ids: Int32Array.from(encoding.getIds()),
      offsets: utf16Offsets(clean[i]!, encoding.getOffsets()),
    }))
  }

  #visible(ids: ArrayLike<number>, specials: boolean | undefined): number[] {
    const all = Array.from(ids)
    return specials ? all : all.filter((id) => !this.#specialIds.has(id))
  }

  async decode(ids: ArrayLike<number>, options: { specials?: boolean } = {}): Promise<string> {
    const visible = this.#visible(ids, options.specials)
    return visible.length ? this.#binding(true).decode(visible, false) : ''
  }

  decodeStream(options: { specials?: boolean } = {}): DecodeStream {
    const decoder = byteDecoder(this.#json.decoder)
    const skipped = (id: number) => !options.specials && this.#specialIds.has(id)
    if (decoder) {
      const stream = new ByteStream(decoder)
      return {
        push: (id) => Promise.resolve(skipped(id) ? '' : stream.push(this.#tokens[id] ?? '')),
        end: () => Promise.resolve(stream.end()),
      }
    }
    const window = new WindowStream((ids) => this.decode(ids, { specials: true }))
    return { push: (id) => (skipped(id) ? Promise.resolve('') : window.push(id)), end: () => window.end() }
  }

  token(id: number): string | undefined {
    return this.#tokens[id]
  }

  async save(dir: string): Promise<string[]> {
    await mkdir(dir, { recursive: true })
    const names = ['tokenizer.json', 'tokenizer_config.json']
    await writeFile(join(dir, 'tokenizer.json'), JSON.stringify(this.#json))
    await writeFile(join(dir, 'tokenizer_config.json'), `${JSON.stringify(this.#policy.config, null, 2)}\n`)
    for (const file of this.#policy.originals) {
      const name = file.split(/[\\/]/).at(-1)!
      await copyFile(file, join(dir, name))
      names.push(name)
    }
    return names
  }
}
