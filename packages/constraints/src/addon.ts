/** Where an answer under a constraint stands, in the add-on. */
export interface NativeConstraint {
  /** Another answer, from here on. */
  fork(): NativeConstraint
  /** Writes the tokens that may come next: bit `i % 32` of word `i / 32` for token i. */
  mask(words: Uint32Array): void
  accept(id: number): void
  readonly ended: boolean
}

/** Tokens as bytes, in the add-on. */
export interface NativeVocabulary {
  /** On a thread of the add-on. */
  compile(kind: string, text: string): Promise<NativeConstraint>
}

/** Exports of the add-on of this package. */
export interface Addon {
  Vocabulary: {
    /** `bytes` of all tokens end to end, those of token i up to `ends[i]`; one without bytes is in no text. `stops` end an answer. */
    open(bytes: Uint8Array, ends: Uint32Array, stops: readonly number[]): NativeVocabulary
  }
}
