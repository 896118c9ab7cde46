/** A tokenizer of Hugging Face's library, in the add-on of this package. */
export interface NativeTokenizer {
  /**
   * The number of tokens of each text, then the ids of all, their places [tokens, 2] in UTF-16 code units, and their words where
   * these were asked for: one array, made on threads of the add-on.
   */
  encodeBatch(texts: readonly string[]): Promise<Int32Array>
  tokenToId(token: string): number | null
  /** What the normaliser makes of a text; null without one. */
  normalize(text: string): string | null
  /** The text of ids, special tokens among them, made on another thread. */
  decode(ids: readonly number[]): Promise<string>
}

/** Exports of the add-on of this package. */
export interface Addon {
  NativeTokenizer: {
    /** Threads that batches of all tokenizers are shared among. Without effect after the first large batch. */
    setThreads(threads: number): void
    /**
     * Of the text of a tokenizer.json. `withWords`: the word of each token is asked for. `bpe` and `added` are its model and its added tokens as
     * JSON, where it has stand-ins for them.
     */
    open(json: string, withWords: boolean, bpe?: string, added?: string): NativeTokenizer
  }
}
