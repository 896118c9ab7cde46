import {
  conversationOf,
  drop,
  oneOf,
  textOf,
  through,
  valueOf,
  type Field,
  type Read,
  type RecordContext,
} from '@ift/core/collection'

/** What a record of one reply, or of one turn of a dialog, says: the message of the user, and the answer. */
const parts: readonly Field[] = [['context', 'text'], oneOf(['response', 'labels'], 'first')]

/** `__needs_caution__` in words. */
export const label: Field = through('safety_label', (text) => text.replaceAll('_', ' ').trim())

const text = (field: Field, turn: unknown, context: RecordContext) =>
  textOf(valueOf(field, turn, context)) ?? ''

const turnsOf = (record: unknown, context: RecordContext): readonly unknown[] => {
  const turns = valueOf('records', record, context)
  return Array.isArray(turns) ? turns : []
}

const said = (record: unknown, context: RecordContext): readonly string[] =>
  turnsOf(record, context).flatMap((turn) => parts.map((field) => text(field, turn, context)))

/** The turns of a dialog as a conversation. */
export const dialog: Read = (record, context) =>
  conversationOf(
    said(record, context).map((content, i) => ({ role: i % 2 === 0 ? 'user' : 'assistant', content })),
  )

/** A question about each message of the user, below what was said before it. */
export const about =
  (instruction: string, answer: Field): Read =>
  (record, context) => {
    const messages = said(record, context)
    const made = turnsOf(record, context).flatMap((turn, i) => {
      const output = text(answer, turn, context)
      const isAsked = messages[2 * i]!.trim() !== '' && output.trim() !== ''
      return isAsked ? [{ instruction, input: messages.slice(0, 2 * i + 1).join('\n'), output }] : []
    })
    return made.length > 0 ? made : drop('no answer')
  }
