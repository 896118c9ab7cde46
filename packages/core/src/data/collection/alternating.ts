import type { Message } from '../../contract/data.js'
import { textOf, valueOf, type Field } from './field.js'
import { metaOf, type MetaFields } from './meta.js'
import { drop, isDropped, type Read } from './read.js'
import { conversationOf, type TurnOptions } from './turns.js'

/** A list of texts, question and answer in turn; a last question without an answer is left out. */
export function alternating(field: Field, options: TurnOptions & MetaFields = {}): Read {
  return (record, context) => {
    const list = valueOf(field, record, context)
    if (!Array.isArray(list)) return drop('no list of turns')
    const turns: Message[] = []
    for (const [i, value] of list.slice(0, list.length - (list.length % 2)).entries()) {
      const content = textOf(value)
      if (content === null) return drop('a turn is no text')
      turns.push({ role: i % 2 === 0 ? 'user' : 'assistant', content })
    }
    const made = conversationOf(turns, options)
    return isDropped(made) ? made : { ...made, ...metaOf(options, record, context) }
  }
}
