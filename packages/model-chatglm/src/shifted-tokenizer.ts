import { mkdir, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { createHash } from 'node:crypto'
import { IftError, type DecodeStream, type Encoding, type PromptFrame, type Tokenizer } from '@ift/core'

/** A tokenizer whose ids begin behind those of `shift` images, which no text has: `num_image_tokens` of ChatGLM-6B. */
export class ShiftedTokenizer implements Tokenizer {
  readonly vocabSize: number
  readonly bosId: number | null
  readonly eosId: number | null
  readonly specials: ReadonlyMap<string, number>
  readonly addBos: boolean
  readonly addEos: boolean
  readonly frame?: PromptFrame
  readonly chatTemplate: string | null
  readonly fingerprint: string
  readonly #inner: Tokenizer
  readonly #shift: number
  readonly #files: ReadonlyMap<string, Uint8Array>
  readonly #config: Readonly<Record<string, unknown>>

  /** `files` are what it is loaded from again, beside tokenizer_config.json, of which `config` holds the fields. */
  constructor(
    inner: Tokenizer,
    shift: number,
    files: ReadonlyMap<string, Uint8Array>,
    config: Readonly<Record<string, unknown>>,
  ) {
    const up = (id: number | null) => (id === null ? null : id + shift)
    const all = (ids: readonly number[]) => ids.map((id) => id + shift)
    this.#inner = inner
    this.#shift = shift
    this.#files = files
    this.#config = config
    this.vocabSize = inner.vocabSize + shift
    this.bosId = up(inner.bosId)
    this.eosId = up(inner.eosId)
    this.specials = new Map([...inner.specials].map(([text, id]) => [text, id + shift]))
    this.addBos = inner.addBos
    this.addEos = inner.addEos
    if (inner.frame) this.frame = { before: all(inner.frame.before), after: all(inner.frame.after) }
    this.chatTemplate = inner.chatTemplate
    this.fingerprint = createHash('sha256').update(`${inner.fingerprint} ${shift}`).digest('hex')
  }

  async encode(text: string, options?: { specials?: boolean }): Promise<Encoding> {
    return this.#up(await this.#inner.encode(text, options))
  }

  async encodeBatch(texts: readonly string[], options?: { specials?: boolean }): Promise<Encoding[]> {
    return (await this.#inner.encodeBatch(texts, options)).map((encoding) => this.#up(encoding))
  }

  decode(ids: ArrayLike<number>, options?: { specials?: boolean }): Promise<string> {
    const own = Array.from(ids, (id) => id - this.#shift).filter((id) => id >= 0)
    return this.#inner.decode(own, options)
  }

  decodeStream(options?: { specials?: boolean }): DecodeStream {
    const stream = this.#inner.decodeStream(options)
    return {
      push: (id) => (id < this.#shift ? Promise.resolve('') : stream.push(id - this.#shift)),
      end: () => stream.end(),
    }
  }

  token(id: number): string | undefined {
    return id < this.#shift ? undefined : this.#inner.token(id - this.#shift)
  }

  async save(dir: string): Promise<string[]> {
    // The code that auto_map names is not written here.
    const { auto_map: _code, ...kept } = this.#config
    const config = { ...kept, tokenizer_class: 'ChatGLMTokenizer', num_image_tokens: this.#shift }
    const files = new Map(this.#files)
    files.set('tokenizer_config.json', Buffer.from(`${JSON.stringify(config, null, 2)}\n`))
    try {
      await mkdir(dir, { recursive: true })
      for (const [name, bytes] of files) await writeFile(join(dir, name), bytes)
    } catch (cause) {
      throw new IftError(
        'IFT_FILE_WRITE',
        `The tokenizer could not be saved to ${dir}: ${cause instanceof Error ? cause.message : String(cause)}`,
        undefined,
        { cause },
      )
    }
    return [...files.keys()].sort()
  }

  #up({ ids, offsets }: Encoding): Encoding {
    return { ids: ids.map((id) => id + this.#shift), offsets }
  }
}
