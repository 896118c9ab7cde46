import { IftError, type ConstraintDefinition, type TokenBytes } from '@ift/core'
import { Vocabulary } from './vocabulary.js'

/** One for all kinds: it takes tens of milliseconds to build. */
const vocabularies = new WeakMap<TokenBytes, Vocabulary>()

function vocabularyOf(tokens: TokenBytes): Vocabulary {
  const known = vocabularies.get(tokens)
  if (known) return known
  const made = new Vocabulary(tokens)
  vocabularies.set(tokens, made)
  return made
}

/** Texts of `choices` at most, and characters of what any constraint says: a schema of a megabyte takes seconds. */
const mostChoices = 10_000
const mostCharacters = 2 ** 20

/** A kind; `text` gives what the add-on is told, or null for a value that is none. */
const kind = (
  name: string,
  expected: string,
  text: (value: unknown) => string | null,
): ConstraintDefinition => ({
  name,
  for(tokens) {
    const vocabulary = vocabularyOf(tokens)
    return Promise.resolve((value) => {
      const said = text(value)
      if (said !== null && said.length <= mostCharacters) return vocabulary.compile(name, said)
      const found =
        said === null ? JSON.stringify(value).slice(0, 80) : `${said.length.toLocaleString('en')} characters`
      throw new IftError(
        'IFT_CONSTRAINT',
        `constraint.${name} expected ${expected}, of ${mostCharacters.toLocaleString('en')} characters at most, found ${found}.`,
        'docs/generation.md#constraints',
      )
    })
  },
})

const asText = (value: unknown) => (typeof value === 'string' ? value : null)

/** Between the parts of an answer in JSON: a model that knows no better would fill its answer with blanks. */
const blanks = '[ ]|\\n[ \\t]{0,40}'

/**
 * An answer in JSON that a schema describes (draft 2020-12, as far as llguidance goes: it says what it does not know). Parts stand behind a
 * blank, or behind a line break and blanks; the schema's own `x-guidance` says otherwise.
 */
export const schema = kind('schema', 'a JSON schema (an object or true)', (value) =>
  value === true || (typeof value === 'object' && value !== null && !Array.isArray(value))
    ? JSON.stringify({ 'x-guidance': { whitespace_pattern: blanks }, ...(value === true ? {} : value) })
    : null,
)

/** An answer that an expression matches as a whole, in the syntax of Rust's `regex`: linear time, no lookaround. */
export const regex = kind('regex', 'an expression', asText)

/** One of several texts. */
export const choices = kind('choices', `texts, from one to ${mostChoices.toLocaleString('en')}`, (value) =>
  Array.isArray(value) &&
  value.length > 0 &&
  value.length <= mostChoices &&
  value.every((one) => typeof one === 'string' && one !== '')
    ? JSON.stringify(value)
    : null,
)

/** A sentence of a grammar in the syntax of Lark, as llguidance reads it. */
export const lark = kind('lark', 'a grammar', asText)
