import type { AnswerToken, ChatMessage, ChatUsage, ToolCall } from '../../api/completions.js'
import { united } from '../../app/history.js'
import type { Parameters } from './parameters.js'

/** How an answer ended; `writing` while it is written. `calls`: with calls of functions. */
export type AnswerEnd = 'writing' | 'ended' | 'length' | 'stopped' | 'calls' | 'failed' | 'written'

export interface Answer {
  readonly model: string
  readonly seed: number
  readonly reasoning: string
  /** Seconds of the thoughts. */
  readonly thought: number | null
  readonly calls: readonly ToolCall[]
  /** Of the content; null where none were asked for. */
  readonly tokens: readonly AnswerToken[] | null
  readonly usage: ChatUsage | null
  /** Tokens counted while it was written. */
  readonly count: number
  /** Seconds to the first token and to the last. */
  readonly first: number | null
  readonly seconds: number | null
  readonly end: AnswerEnd
  /** What the server said, where it failed. */
  readonly error: { readonly code: string | null; readonly message: string } | null
}

/** A message, with the one before it. */
export interface Turn {
  readonly id: string
  /** Null for the first. */
  readonly parent: string | null
  readonly role: 'user' | 'assistant' | 'tool'
  readonly content: string
  /** Set for answers. */
  readonly answer?: Answer
  /** The call that a result is of. */
  readonly callId?: string
}

/** A tree of turns, in which one path is shown. */
export interface Conversation {
  readonly version: 1
  /** Null: the first model of the server. */
  readonly model: string | null
  readonly system: string
  /** Functions that the model may call, as JSON; empty for none. */
  readonly tools: string
  readonly parameters: Parameters
  /** Whether tokens are tinted by their probability. */
  readonly tint: boolean
  /** In the order that they were made in. */
  readonly turns: readonly Turn[]
  /** The child that is shown of each turn; of '' the first turn. The newest where none is named. */
  readonly chosen: Readonly<Record<string, string>>
  /** The first turn that is sent; null for all. */
  readonly sentFrom: string | null
}

const keyOf = (parent: string | null) => parent ?? ''

/** The turns behind a turn, oldest first: its branches. */
export const branchesBehind = ({ turns }: Conversation, parent: string | null): readonly Turn[] =>
  turns.filter((turn) => turn.parent === parent)

/** The turns that are shown, from the first. */
export function thread(conversation: Conversation): readonly Turn[] {
  const shown: Turn[] = []
  // One pass over all turns is quicker than one for each of a long thread.
  const behind = new Map<string, Turn[]>()
  for (const turn of conversation.turns) {
    const found = behind.get(keyOf(turn.parent))
    if (found) found.push(turn)
    else behind.set(keyOf(turn.parent), [turn])
  }
  for (let at = ''; ;) {
    const branches = behind.get(at)
    if (!branches) return shown
    const next = branches.find(({ id }) => id === conversation.chosen[at]) ?? branches[branches.length - 1]!
    shown.push(next)
    at = next.id
  }
}

/** The turns up to one, in the order of the conversation, whether they are shown or not. */
export function upTo({ turns }: Conversation, id: string | null): readonly Turn[] {
  const path: Turn[] = []
  for (let at = id; at !== null;) {
    const turn = turns.find((one) => one.id === at)
    if (!turn) break
    path.unshift(turn)
    at = turn.parent
  }
  return path
}

/** With a turn more, which is shown. Turns with the same parent are branches of each other. */
export const withTurn = (conversation: Conversation, turn: Turn): Conversation => ({
  ...conversation,
  turns: [...conversation.turns, turn],
  chosen: { ...conversation.chosen, [keyOf(turn.parent)]: turn.id },
})

export const withChange = (
  conversation: Conversation,
  id: string,
  change: (turn: Turn) => Turn,
): Conversation => ({
  ...conversation,
  turns: conversation.turns.map((turn) => (turn.id === id ? change(turn) : turn)),
})

/** Where a turn stands among its branches, from 0. */
export function branchOf(conversation: Conversation, { id, parent }: Turn) {
  const all = branchesBehind(conversation, parent)
  return { at: all.findIndex((turn) => turn.id === id), count: all.length, all }
}

/** Shows the branch before (−1) or after (1); the branches behind each stay as they were chosen. */
export function withBranch(conversation: Conversation, turn: Turn, by: 1 | -1): Conversation {
  const { at, all } = branchOf(conversation, turn)
  const next = all[at + by]
  if (!next) return conversation
  return { ...conversation, chosen: { ...conversation.chosen, [keyOf(turn.parent)]: next.id } }
}

/** What is sent for the turns up to one. */
export function messagesOf(conversation: Conversation, turns: readonly Turn[]): readonly ChatMessage[] {
  const from = conversation.sentFrom === null ? 0 : turns.findIndex(({ id }) => id === conversation.sentFrom)
  return [
    ...(conversation.system.trim() === '' ? [] : [{ role: 'system' as const, content: conversation.system }]),
    ...turns.slice(Math.max(0, from)).map(({ role, content, answer, callId }): ChatMessage => ({
      ...{ role, content },
      ...(answer && answer.calls.length > 0 && { calls: answer.calls }),
      ...(callId !== undefined && { callId }),
    })),
  ]
}

/** Those turns that a model answers a question with: an answer, and what belongs to it. The first turn of each. */
export const rounds = (turns: readonly Turn[]): readonly number[] =>
  turns.flatMap(({ role }, i) => (role === 'user' ? [i] : []))

/** A conversation with the turns that another tab has added to it: an answer goes on where it is longer. */
export const withTurnsOf = (ours: Conversation, theirs: unknown): Conversation =>
  isConversation(theirs)
    ? {
        ...ours,
        turns: united(ours.turns, theirs.turns, (other, own) => other.content.length > own.content.length),
      }
    : ours

/** Whether something that was imported is a conversation: its turns are a tree. */
export function isConversation(value: unknown): value is Conversation {
  if (typeof value !== 'object' || value === null) return false
  const { version, turns, parameters, chosen, system, tools } = value as Partial<
    Record<keyof Conversation, unknown>
  >
  if (version !== 1 || !Array.isArray(turns) || typeof system !== 'string' || typeof tools !== 'string')
    return false
  if (typeof parameters !== 'object' || parameters === null || typeof chosen !== 'object' || chosen === null)
    return false
  const known = new Set<unknown>([null])
  return turns.every((turn: Partial<Turn> | null) => {
    const isTurn =
      typeof turn?.id === 'string' &&
      typeof turn.content === 'string' &&
      ['user', 'assistant', 'tool'].includes(turn.role ?? '') &&
      known.has(turn.parent) &&
      (turn.role !== 'assistant' || typeof turn.answer?.model === 'string')
    known.add(turn?.id)
    return isTurn
  })
}
