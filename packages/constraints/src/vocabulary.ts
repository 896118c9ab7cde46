import { IftError, type Constraint, type ConstraintState, type TokenBytes } from '@ift/core'
import type { NativeConstraint, NativeVocabulary } from './addon.js'
import { addon } from './load.js'

/** Tokens of a model, for which constraints are compiled. */
export class Vocabulary {
  readonly #native: NativeVocabulary
  readonly #size: number

  constructor(tokens: TokenBytes) {
    const { size, ends: stops } = tokens
    const all = Array.from({ length: size }, (_, id) => tokens.bytes(id))
    const ends = new Uint32Array(size)
    let end = 0
    for (const [id, one] of all.entries()) ends[id] = end += one?.length ?? 0
    const joined = new Uint8Array(end)
    for (const [id, one] of all.entries()) if (one) joined.set(one, ends[id]! - one.length)
    if (end === 0)
      throw new IftError(
        'IFT_CONSTRAINT',
        'The text of a token of this tokenizer depends on its neighbours: answers cannot be held to anything.',
        'Leave out the constraint.',
      )
    this.#size = size
    this.#native = addon().Vocabulary.open(
      joined,
      ends,
      [...stops].filter((id) => id < size),
    )
  }

  /** `kind` as the add-on names it, `text` says what is allowed. IFT_CONSTRAINT with the library's reason. */
  async compile(kind: string, text: string): Promise<Constraint> {
    const words = Math.ceil(this.#size / 32)
    let native: NativeConstraint
    try {
      native = await this.#native.compile(kind, text)
    } catch (cause) {
      throw refused(kind, cause)
    }
    return { begin: () => state(kind, native.fork(), new Uint32Array(words)) }
  }
}

const state = (kind: string, native: NativeConstraint, words: Uint32Array): ConstraintState => {
  const told = <T>(run: () => T): T => {
    try {
      return run()
    } catch (cause) {
      throw refused(kind, cause)
    }
  }
  return {
    mask() {
      told(() => {
        native.mask(words)
      })
      return words
    },
    accept(id) {
      told(() => {
        native.accept(id)
      })
    },
    get ended() {
      return native.ended
    },
  }
}

function refused(kind: string, cause: unknown): IftError {
  const reason = cause instanceof Error ? cause.message : String(cause)
  // What was asked for may be long; it is known to who asked.
  const short = reason.length > 600 ? `${reason.slice(0, 600)} …` : reason
  return new IftError(
    'IFT_CONSTRAINT',
    `constraint.${kind} cannot be held to: ${short}`,
    'Say it in another way: docs/generation.md#constraints',
    { cause },
  )
}
