/** The tokens of a model as bytes. */
export interface TokenBytes {
  /** Tokens that can be chosen. */
  readonly size: number
  /** UTF-8 bytes that a token adds to a text; null for those of no text (special ones). */
  bytes(id: number): Uint8Array | null
  /** Ids that end an answer. */
  readonly ends: ReadonlySet<number>
}

/** Where an answer under a constraint stands. */
export interface ConstraintState {
  /**
   * The tokens that may come next: bit `i % 32` of word `i / 32` for token i, [ceil(size / 32)]; those that end the answer where it may end.
   * Valid until the next call.
   */
  mask(): Uint32Array
  /** Takes a token of the mask that does not end the answer. */
  accept(id: number): void
  /** Whether nothing but the end may follow. */
  readonly ended: boolean
}

/** What an answer is held to, for a vocabulary. */
export interface Constraint {
  /** The state of an answer that begins. */
  begin(): ConstraintState
}

/** A kind of constraint: a JSON schema, an expression, a grammar. */
export interface ConstraintDefinition {
  readonly name: string
  /** Compilers of what the option of this name says (`generate.constraint`), for a vocabulary. IFT_CONSTRAINT for what cannot be held to. */
  for(vocabulary: TokenBytes): Promise<(value: unknown) => Promise<Constraint>>
}
