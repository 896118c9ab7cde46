import type { Message, Role } from '../../contract/data.js'
import { isRecord } from '../read/record.js'
import { isBlank, textOf, valueOf, type Field } from './field.js'
import { metaOf, type MetaFields } from './meta.js'
import { drop, isDropped, type Read } from './read.js'
import { conversationOf, type TurnOptions } from './turns.js'

export interface StepOptions extends TurnOptions, MetaFields {
  /** The object that holds the steps; the record itself without it. */
  readonly inside?: Field
  readonly system?: Field
  /**
   * What the roles say in a step, in this order; a field that is absent or empty says nothing. Without it a step is a text, of the
   * user and the assistant in turn.
   */
  readonly says?: readonly (readonly [role: Role, field: Field])[]
}

/** Values under numbered keys of an object, `round_0`, `round_1`, …, `round_10`, as a list in the order of the numbers. */
export const numbered =
  (prefix: string, inside?: Field): Field =>
  (record, context) => {
    const holder = inside === undefined ? record : valueOf(inside, record, context)
    if (!isRecord(holder)) return undefined
    return Object.keys(holder)
      .filter((key) => key.startsWith(prefix) && /^\d{1,9}$/.test(key.slice(prefix.length)))
      .map((key) => ({ value: holder[key], number: Number(key.slice(prefix.length)) }))
      .sort((a, b) => a.number - b.number)
      .map(({ value }) => value)
  }

/** Steps under numbered keys, `turn_1`, `turn_2`, …, `turn_10`: `prefix` and digits, in the order of the numbers. */
export function steps(prefix: string, options: StepOptions = {}): Read {
  const { inside, says, system: head } = options
  const list = numbered(prefix, inside)
  return (record, context) => {
    const found = valueOf(list, record, context)
    if (!Array.isArray(found)) return drop('no object with steps')
    const turns: Message[] = []
    for (const [i, step] of (found as unknown[]).entries()) {
      const texts = says
        ? says.map(([role, field]) => ({ role, content: textOf(valueOf(field, step, context)) }))
        : [{ role: i % 2 === 0 ? ('user' as const) : ('assistant' as const), content: textOf(step) }]
      for (const { role, content } of texts)
        if (content === null) return drop('a step is no text')
        else if (!says || !isBlank(content)) turns.push({ role, content })
    }
    const system = head === undefined ? '' : textOf(valueOf(head, record, context))
    if (system === null) return drop('the system message is no text')
    const made = conversationOf(turns, options, system)
    return isDropped(made) ? made : { ...made, ...metaOf(options, record, context) }
  }
}
