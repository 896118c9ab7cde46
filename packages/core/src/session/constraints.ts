import { IftError } from '@ift/tensor'
import type { Constraint, ConstraintDefinition, ConstraintState, TokenBytes } from '../contract/constraint.js'
import type { Tokenizer } from '../contract/tokenizer.js'

/** Compiled constraints that are kept: requests of a program often have the same one. */
const mostKept = 32

type Compile = (value: unknown) => Promise<Constraint>

/** Constraints over the vocabulary of a model, compiled when they are first asked for. */
export class Constraints {
  /** Null where the tokenizer does not know them. */
  readonly #tokens: TokenBytes | null
  readonly #definitionOf: (kind: string) => Promise<ConstraintDefinition>
  readonly #compilers = new Map<string, Promise<Compile>>()
  /** By kind and value, those used last behind. */
  readonly #compiled = new Map<string, Promise<Constraint>>()

  /** `ends`: ids that end an answer. `definitionOf` finds a kind. */
  constructor(
    tokenizer: Tokenizer,
    ends: ReadonlySet<number>,
    definitionOf: (kind: string) => Promise<ConstraintDefinition>,
  ) {
    this.#tokens =
      tokenizer.bytes === undefined
        ? null
        : { size: tokenizer.vocabSize, ends, bytes: (id) => tokenizer.bytes!(id) }
    this.#definitionOf = definitionOf
  }

  /** The state of an answer that begins; null without a constraint. Throws IFT_CONSTRAINT. */
  async begin(asked: Readonly<Record<string, unknown>> | undefined): Promise<ConstraintState | null> {
    if (asked === undefined) return null
    const [first, ...more] = Object.entries(asked).filter(([, value]) => value !== undefined)
    if (first === undefined || more.length > 0)
      throw new IftError(
        'IFT_CONSTRAINT',
        `constraint expected one kind, found ${more.length === 0 ? 'none' : Object.keys(asked).join(', ')}.`,
        'constraint: { schema: … } or { regex: … } or { choices: […] }',
      )
    const [kind, value] = first
    const key = JSON.stringify([kind, value])
    const known = this.#compiled.get(key)
    const compiled = known ?? this.#compile(kind, value)
    this.#compiled.delete(key)
    this.#compiled.set(key, compiled)
    if (this.#compiled.size > mostKept) this.#compiled.delete(this.#compiled.keys().next().value!)
    try {
      return (await compiled).begin()
    } catch (error) {
      this.#compiled.delete(key)
      throw error
    }
  }

  async #compile(kind: string, value: unknown): Promise<Constraint> {
    let compiler = this.#compilers.get(kind)
    if (compiler === undefined) this.#compilers.set(kind, (compiler = this.#compilerOf(kind)))
    try {
      return await (
        await compiler
      )(value)
    } catch (error) {
      // A package may be installed meanwhile.
      if (!(error instanceof IftError && error.code === 'IFT_CONSTRAINT')) this.#compilers.delete(kind)
      throw error
    }
  }

  async #compilerOf(kind: string): Promise<Compile> {
    const definition = await this.#definitionOf(kind)
    if (this.#tokens === null)
      throw new IftError(
        'IFT_CONSTRAINT',
        'The tokenizer of this model does not say which bytes its tokens stand for: answers cannot be held to anything.',
        'Leave out the constraint.',
      )
    return definition.for(this.#tokens)
  }
}
