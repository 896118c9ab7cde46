import type { GgufValue } from './gguf.js'

/**
 * Token ids with the half-open range of UTF-16 code units that each came from. Both may be views of one array of the whole batch, which stays
 * in memory as long as one of them: copy (`slice`) what is kept longer than the batch.
 */
export interface Encoding {
  readonly ids: Int32Array
  /** [n, 2] start and end of every token; an inserted token has an empty range. */
  readonly offsets: Int32Array
}

/** Turns ids into text piece by piece, never splitting a character. */
export interface DecodeStream {
  /** Text that became certain with this id; '' while a character is incomplete. */
  push(id: number): Promise<string>
  /** The rest of the text, with U+FFFD for a character that was never completed. */
  end(): Promise<string>
}

/** Ids before and behind a prompt. */
export interface PromptFrame {
  readonly before: readonly number[]
  readonly after: readonly number[]
}

/** Whether a special token takes the white space to the left and right of it. */
export interface Strip {
  readonly left: boolean
  readonly right: boolean
}

export interface Tokenizer {
  /** Ids are below this. */
  readonly vocabSize: number
  readonly bosId: number | null
  readonly eosId: number | null
  /** Every special token by its text. */
  readonly specials: ReadonlyMap<string, number>
  /**
   * Texts of special tokens by what the checkpoint calls them: bos_token, pad_token, image_token and others, and the list
   * additional_special_tokens. A chat template sees them under these names.
   */
  readonly named?: ReadonlyMap<string, string | readonly string[]>
  /** Those that take the white space beside them, as Phi's do with the line break that its chats write behind a role. */
  readonly strips?: ReadonlyMap<string, Strip>
  /** Whether the checkpoint's tokenizer puts bos before, and eos after, a text. */
  readonly addBos: boolean
  readonly addEos: boolean
  /**
   * Ids that the checkpoint's tokenizer puts around a prompt, besides bos: GLM's [gMASK] and sop stand before the
   * prompt, in the first version behind it.
   */
  readonly frame?: PromptFrame
  /** Jinja source of the checkpoint's chat template. */
  readonly chatTemplate: string | null
  /** sha256 over everything that decides ids: the same text gives the same ids exactly when this is equal. */
  readonly fingerprint: string
  /** No bos or eos is added. Text that looks like a special token is plain text unless `specials` is set. */
  encode(text: string, options?: { specials?: boolean }): Promise<Encoding>
  /** In the order of the texts. The encodings may share memory, as `Encoding` says. */
  encodeBatch(texts: readonly string[], options?: { specials?: boolean }): Promise<Encoding[]>
  /** Special tokens are left out unless `specials` is set. */
  decode(ids: ArrayLike<number>, options?: { specials?: boolean }): Promise<string>
  decodeStream(options?: { specials?: boolean }): DecodeStream
  /** Text of one id as the vocabulary writes it. */
  token(id: number): string | undefined
  /**
   * UTF-8 bytes that an id adds to a text; null for special tokens, and for all where the text of a token depends on its neighbours. None
   * are known when absent.
   */
  bytes?(id: number): Uint8Array | null
  /**
   * What a GGUF file says of it: `tokenizer.ggml.*` for `rows` tokens, those of the embedding. `split` is llama.cpp's name for how it splits
   * text (`tokenizer.ggml.pre`), where that is not to be found out. IFT_TOKENIZER_UNSUPPORTED for what llama.cpp has no word for. Absent where
   * it is in no form that a file could hold.
   */
  gguf?(rows: number, split?: string): Readonly<Record<string, GgufValue>>
  /** Writes the files that make the tokenizer loadable again, by ift and by transformers. Returns their names. */
  save(dir: string): Promise<string[]>
}

/** Reads one kind of tokenizer file. */
export interface TokenizerDefinition {
  readonly name: string
  /** Whether this kind is at `path`: a folder, or the model's own file when that may hold a tokenizer (GGUF). */
  detect(path: string): Promise<boolean>
  load(path: string): Promise<Tokenizer>
}
