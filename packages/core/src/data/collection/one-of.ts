import { textOf, isBlank, valueOf, type Field } from './field.js'

/** Several answers to one question: each is an example. */
export class Alternatives {
  constructor(readonly texts: readonly string[]) {}
}

/** Which of several answers are learned: one that the seed chooses, the first, or all. */
export type AnswerPolicy = 'one' | 'first' | 'all'

/** The answers of a list. Those that are empty or no text do not count; a field that is no list is its own answer. */
export const oneOf =
  (list: Field, policy: AnswerPolicy = 'one'): Field =>
  (record, context) => {
    const value = valueOf(list, record, context)
    if (!Array.isArray(value)) return value
    const texts = value.map(textOf).filter((text): text is string => text !== null && !isBlank(text))
    if (texts.length === 0) return ''
    if (policy === 'all') return new Alternatives(texts)
    return texts[policy === 'first' ? 0 : context.random('answer').below(texts.length)]!
  }
