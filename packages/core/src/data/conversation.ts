import { IftError } from '@ift/tensor'
import { speakerSplitter } from './collection/speaker-marks.js'
import { writtenCalls } from './tool-calls.js'
import {
  isInstruction,
  type InstructionExample,
  type Message,
  type MessagesExample,
} from '../contract/data.js'

/** Text of a message; calls of functions without a text as `writtenCalls` writes them. */
export const messageText = (message: Message): string =>
  message.content === '' && message.toolCalls && message.toolCalls.length > 0
    ? writtenCalls(message.toolCalls)
    : message.content

/** Instruction and input as one user message: the input stands behind an empty line. */
export const userText = (example: InstructionExample): string =>
  example.input === '' ? example.instruction : `${example.instruction}\n\n${example.input}`

/** Any example with turns as messages, its answer last. */
export function toMessages(example: InstructionExample | MessagesExample): readonly Message[] {
  return isInstruction(example)
    ? [...promptMessages(example), { role: 'assistant', content: example.output }]
    : example.messages
}

/** The messages that the model is to answer: without an instruction's output. */
export function promptMessages(example: InstructionExample | MessagesExample): readonly Message[] {
  if (!isInstruction(example)) {
    const last = example.messages.at(-1)
    if (last && (last.role === 'user' || last.role === 'tool')) return example.messages
    throw new IftError(
      'IFT_PROMPT_ANSWERED',
      last
        ? `The last message is of the role ${last.role}; there is nothing to answer.`
        : 'There is no message to answer.',
      'End the messages with one of the role user.',
    )
  }
  const messages: Message[] = []
  if (example.system) messages.push({ role: 'system', content: example.system })
  for (const [user, assistant] of example.history ?? [])
    messages.push({ role: 'user', content: user }, { role: 'assistant', content: assistant })
  messages.push({ role: 'user', content: userText(example) })
  return messages
}

/** Messages up to the last answer; all of them when there is no answer. */
export function toLastAnswer(messages: readonly Message[]): readonly Message[] {
  const last = messages.findLastIndex(({ role }) => role === 'assistant')
  return last < 0 ? messages : messages.slice(0, last + 1)
}

/** One round of a conversation as instruction records write it. */
export interface Conversation {
  readonly system: string
  /** Rounds before the last one, oldest first. */
  readonly history: readonly (readonly [user: string, assistant: string])[]
  readonly instruction: string
  /** '' when the last question has no answer. */
  readonly output: string
  /** Whether there is an answer to the last question. */
  readonly answered: boolean
  /** For each answer, the last one included, whether it is learned. */
  readonly learned: readonly boolean[]
}

/**
 * Messages as rounds of one question and one answer. Results of tools count as the user's side; system messages are
 * joined; several messages of one side in a row are joined by a line break.
 */
export function toRounds(example: MessagesExample): Conversation {
  const system: string[] = []
  const rounds: [string, string | null][] = []
  const learned: boolean[] = []
  for (const message of example.messages) {
    const text = messageText(message)
    const last = rounds.at(-1)
    if (message.role === 'system') system.push(text)
    else if (message.role === 'assistant') {
      if (!last) rounds.push(['', text])
      else last[1] = last[1] === null ? text : `${last[1]}\n${text}`
      // Answers that are joined are learned together or not at all.
      const at = rounds.length - 1
      learned[at] = (learned[at] ?? true) && message.learned !== false
    } else if (last?.[1] === null) last[0] += `\n${text}`
    else rounds.push([text, null])
  }
  const final = rounds.pop()
  if (!final)
    throw new IftError(
      'IFT_DATA_RECORD',
      'The conversation has no user or assistant message.',
      'A conversation needs at least one question and its answer.',
    )
  return {
    system: system.join('\n'),
    history: rounds.map(([user, assistant]) => [user, assistant ?? ''] as const),
    instruction: final[0],
    output: final[1] ?? '',
    answered: final[1] !== null,
    learned,
  }
}

const split = speakerSplitter({ user: ['Human:', 'Human：'], assistant: ['Assistant:', 'Assistant：'] })

/**
 * Turns of BELLE's multi-turn records, whose instruction is "Human:…\nAssistant:…\nHuman:…\nAssistant:" and whose output
 * is the last answer. Null unless the instruction begins with "Human:" and nothing but alternating turns follows that
 * end in an open "Assistant:"; a text that merely mentions the words is an ordinary instruction.
 */
export function markedTurns(instruction: string, output: string): Message[] | null {
  if (!/^\s*Human[:：]/.test(instruction)) return null
  const turns = split(instruction).turns
  const open = turns.at(-1)
  const alternate = turns.every(
    ({ role, content }, i) =>
      role === (i % 2 === 0 ? 'user' : 'assistant') && (content !== '') === i < turns.length - 1,
  )
  if (!alternate || open?.role !== 'assistant') return null
  return [...turns.slice(0, -1), { ...open, content: output }]
}
