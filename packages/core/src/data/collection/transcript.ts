import { isBlank, textOf, valueOf, type Field } from './field.js'
import { metaOf, type MetaFields } from './meta.js'
import { drop, isDropped, type Read } from './read.js'
import { speakerSplitter, type SpeakerMarks } from './speaker-marks.js'
import { conversationOf, type TurnOptions } from './turns.js'

export interface TranscriptOptions extends SpeakerMarks, TurnOptions, MetaFields {
  /** What becomes of text before the first mark: a system message, or nothing. Without it such a record gives no example. */
  readonly head?: 'system' | 'drop'
  /** The last answer, where the text ends in an open mark of the assistant. */
  readonly answer?: Field
}

/** A conversation written as one text with marks of speakers. An open mark of the user at the end is left out. */
export function transcript(field: Field, options: TranscriptOptions): Read {
  const split = speakerSplitter(options)
  return (record, context) => {
    const text = textOf(valueOf(field, record, context))
    if (text === null) return drop('the conversation is no text')
    const { head, turns: found } = split(text)
    if (found.length === 0) return drop('no mark of a speaker')
    if (head !== '' && options.head === undefined) return drop('text before the first mark of a speaker')
    const turns = [...found]
    const last = turns.at(-1)!
    if (last.role === 'user' && isBlank(last.content)) turns.pop()
    if (options.answer !== undefined) {
      if (last.role !== 'assistant' || !isBlank(last.content)) return drop('no open mark for the answer')
      const content = textOf(valueOf(options.answer, record, context))
      if (content === null) return drop('the answer is no text')
      turns[turns.length - 1] = { role: 'assistant', content }
    }
    const made = conversationOf(turns, options, options.head === 'system' ? head : '')
    return isDropped(made) ? made : { ...made, ...metaOf(options, record, context) }
  }
}
