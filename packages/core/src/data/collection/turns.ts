import type { Message, MessagesExample } from '../../contract/data.js'
import { isBlank } from './field.js'
import { drop, type Dropped } from './read.js'

export interface TurnOptions {
  /**
   * Mends a conversation: empty turns go, neighbours of one role are joined by an empty line, what stands before the first question
   * and behind the last answer is cut. Without it such a conversation gives no example.
   */
  readonly repair?: boolean
}

function repaired(turns: readonly Message[]): readonly Message[] {
  const joined: Message[] = []
  for (const turn of turns) {
    if (isBlank(turn.content)) continue
    const last = joined.at(-1)
    if (last?.role === turn.role && turn.role !== 'tool')
      joined[joined.length - 1] = { ...last, content: `${last.content}\n\n${turn.content}` }
    else joined.push(turn)
  }
  const first = joined.findIndex(({ role }) => role === 'user')
  const end = joined.findLastIndex(({ role }) => role === 'assistant') + 1
  return first < 0 ? [] : joined.slice(first, end)
}

/** Roles that may stand behind a role. */
const behind: Readonly<Record<string, readonly string[]>> = {
  user: ['assistant'],
  assistant: ['user', 'tool'],
  tool: ['assistant', 'tool'],
}

/**
 * Turns as an example: system messages first, then a question, then answers and questions in turn, an answer last; results of tools
 * stand between two answers. `system` stands before everything.
 */
export function conversationOf(
  turns: readonly Message[],
  { repair = false }: TurnOptions = {},
  system = '',
): MessagesExample | Dropped {
  const start = turns.findIndex(({ role }) => role !== 'system')
  const systems = turns.slice(0, start < 0 ? turns.length : start).filter(({ content }) => !isBlank(content))
  if (!isBlank(system)) systems.unshift({ role: 'system', content: system })
  const body = start < 0 ? [] : turns.slice(start)
  if (body.some(({ role }) => role === 'system')) return drop('a system message inside the conversation')
  const kept = repair ? repaired(body) : body
  if (kept.length === 0) return drop('no turn')
  if (kept.some(({ content }) => isBlank(content))) return drop('an empty turn')
  if (kept[0]!.role !== 'user') return drop('the conversation does not begin with a question')
  for (const [i, { role }] of kept.entries())
    if (i > 0 && !behind[kept[i - 1]!.role]!.includes(role)) return drop('the roles do not alternate')
  if (kept.at(-1)!.role !== 'assistant') return drop('no answer at the end')
  return { messages: [...systems, ...kept] }
}
