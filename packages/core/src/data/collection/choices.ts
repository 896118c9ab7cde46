import { isBlank, textOf, valueOf, type Field } from './field.js'
import type { RecordContext } from './read.js'

/** Where the texts of the choices are: in one field that holds a list, or in fields that hold one each. */
type ChoiceTexts =
  | { readonly list: Field; readonly fields?: never }
  | { readonly fields: readonly Field[]; readonly list?: never }

export type ChoiceOptions = ChoiceTexts & {
  /** The right one: its letter, its number or its text. */
  readonly answer: Field
  /** How `answer` names it: by letter (A first), by number from 0 or from 1, or by text (default). */
  readonly by?: 'letter' | 'index' | 'number' | 'text'
  /** How a choice is written: "(A) …" (default), "A. …", or its text alone, joined by ", ". */
  readonly style?: 'parentheses' | 'point' | 'plain'
  /** Shows at most so many: the right one among others that the seed chooses, shuffled. */
  readonly most?: number
}

const letter = (i: number) => String.fromCharCode(65 + i)

/** Choices have letters. */
const mostChoices = 26

function textsOf({ list, fields }: ChoiceTexts, record: unknown, context: RecordContext): string[] | null {
  const values: unknown = fields
    ? fields.map((field) => valueOf(field, record, context))
    : valueOf(list, record, context)
  if (!Array.isArray(values)) return null
  const texts = values.map(textOf)
  const all = texts.filter((text): text is string => text !== null && !isBlank(text))
  return all.length === texts.length && all.length > 0 ? all.map((text) => text.trim()) : null
}

function rightOf(texts: readonly string[], answer: string, by: ChoiceOptions['by'] = 'text'): number {
  const said = answer.trim()
  if (by === 'text') return texts.findIndex((text) => text.toLowerCase() === said.toLowerCase())
  if (by === 'letter') {
    const found = /^\(?([A-Z])\)?\.?$/i.exec(said)
    return found ? found[1]!.toUpperCase().charCodeAt(0) - 65 : -1
  }
  return /^\d{1,4}$/.test(said) ? Number(said) - (by === 'number' ? 1 : 0) : -1
}

/** The choices of a question as fields: what is shown, and the letter and the text of the right one. */
export interface Choices {
  readonly shown: Field
  readonly letter: Field
  readonly text: Field
}

/**
 * Choices of a question. The fields have no value where there are no choices, one of them is empty or more than 26 are shown, or the
 * answer is none of them: a record then lacks its question or its answer.
 */
export function choices({
  answer,
  by,
  style = 'parentheses',
  most = Infinity,
  ...where
}: ChoiceOptions): Choices {
  const find = (record: unknown, context: RecordContext) => {
    const texts = textsOf(where, record, context)
    const said = textOf(valueOf(answer, record, context))
    if (!texts || said === null) return null
    const right = rightOf(texts, said, by)
    const text = texts[right]
    if (text === undefined) return null
    if (Math.min(texts.length, most) > mostChoices) return null
    if (texts.length <= most) return { texts, text, at: right }
    const random = context.random('choices')
    const others = random.shuffle(texts.filter((_, i) => i !== right)).slice(0, Math.max(0, most - 1))
    const mixed = random.shuffle([text, ...others])
    return { texts: mixed, text, at: mixed.indexOf(text) }
  }
  const write = (text: string, i: number) =>
    style === 'plain' ? text : style === 'point' ? `${letter(i)}. ${text}` : `(${letter(i)}) ${text}`
  return {
    shown: (record, context) =>
      find(record, context)
        ?.texts.map(write)
        .join(style === 'plain' ? ', ' : '\n'),
    letter: (record, context) => {
      const found = find(record, context)
      return found ? letter(found.at) : undefined
    },
    text: (record, context) => find(record, context)?.text,
  }
}
