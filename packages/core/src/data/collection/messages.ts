import type { Message, Role } from '../../contract/data.js'
import { isRecord } from '../read/record.js'
import { textOf, valueOf, type Field } from './field.js'
import { metaOf, type MetaFields } from './meta.js'
import { drop, isDropped, type Read } from './read.js'
import { conversationOf, type TurnOptions } from './turns.js'

/** The role that a name of a speaker stands for; null for one whose conversations are not taken. */
export type RoleNames = Readonly<Record<string, Role | null>>

export interface MessagesOptions extends TurnOptions, MetaFields {
  /** What the conversation begins with. */
  readonly system?: Field
  /** Changes the texts of turns, such as `htmlToMarkdown` those of an assistant. */
  readonly text?: (text: string, role: Role) => string
}

/** Names of speakers in published sets. */
export const speakers: RoleNames = {
  system: 'system',
  human: 'user',
  user: 'user',
  prompter: 'user',
  assistant: 'assistant',
  gpt: 'assistant',
  chatgpt: 'assistant',
}

const first = (turn: Readonly<Record<string, unknown>>, ...names: readonly string[]) =>
  names.map((name) => turn[name]).find((value) => value !== undefined && value !== null)

/**
 * A list of turns: {from, value}, {role, content}, or {human, assistant} with a round each. Speakers are told by `roles`, in any
 * case of letters.
 */
export function messages(field: Field, roles: RoleNames = speakers, options: MessagesOptions = {}): Read {
  const known = new Map(Object.entries(roles).map(([name, role]) => [name.toLowerCase(), role]))
  const of = (role: Role, value: unknown): Message | null => {
    const content = textOf(value)
    return content === null ? null : { role, content: options.text?.(content, role) ?? content }
  }
  return (record, context) => {
    const list = valueOf(field, record, context)
    if (!Array.isArray(list)) return drop('no list of turns')
    const turns: Message[] = []
    for (const turn of list as unknown[]) {
      if (!isRecord(turn)) return drop('a turn is no object')
      const speaker = first(turn, 'from', 'role')
      const isRound = speaker === undefined && ('human' in turn || 'assistant' in turn)
      const role = isRound
        ? 'user'
        : typeof speaker === 'string'
          ? known.get(speaker.toLowerCase())
          : undefined
      if (role === undefined) return drop('the role of a turn is not known')
      if (role === null) return drop('a speaker who is not taken')
      const said = isRound
        ? [of('user', turn['human']), of('assistant', turn['assistant'])]
        : [of(role, first(turn, 'value', 'content'))]
      for (const message of said)
        if (message) turns.push(message)
        else return drop('a turn is no text')
    }
    const system = options.system === undefined ? '' : textOf(valueOf(options.system, record, context))
    if (system === null) return drop('the system message is no text')
    const made = conversationOf(turns, options, system)
    return isDropped(made) ? made : { ...made, ...metaOf(options, record, context) }
  }
}
