import { IftError } from '@ift/tensor'
import { isExactNumber } from '../exact-json.js'
import type { Message } from '../../contract/data.js'
import { parsedArguments } from '../tool-calls.js'
import { CallArguments, fromJson, guards, hasMarks, marked, type Value } from './jinja/index.js'

// Messages as a chat template gets them: as the record has them, as transformers' apply_chat_template gives them.

type Change = (text: string) => string

/** Changes to every text of a message on its way into a template, and to every key: templates write both. */
interface Changes {
  readonly text: Change
  readonly key: Change
}

function changed(value: unknown, change: Changes): unknown {
  if (typeof value === 'string') return change.text(value)
  if (Array.isArray(value)) return value.map((item) => changed(item, change))
  if (typeof value !== 'object' || value === null || isExactNumber(value)) return value
  return Object.fromEntries(
    Object.entries(value).map(([key, item]) => [change.key(key), changed(item, change)]),
  )
}

const isRecord = (value: unknown): value is Record<string, unknown> =>
  typeof value === 'object' && value !== null && !Array.isArray(value)

interface CallOptions {
  readonly change: Changes
  /** Whether arguments that came as a text are objects only. */
  readonly objects: boolean
}

/** The arguments of a call, which come as JSON in a text or as they are. */
function argumentsOf(given: unknown, { change, objects }: CallOptions): unknown {
  const object = parsedArguments(given)
  if (typeof object !== 'object' || object === null) return changed(given, change)
  return new CallArguments(
    fromJson(changed(object, change)) as CallArguments['object'],
    typeof given === 'string' && !objects ? change.text(given) : null,
  )
}

function callOf(call: unknown, options: CallOptions): unknown {
  const { change } = options
  if (!isRecord(call)) return changed(call, change)
  const entries = Object.entries(call).map(([key, value]): [string, unknown] => {
    if (key === 'function') return [key, callOf(value, options)]
    if (key === 'arguments' || key === 'parameters') return [key, argumentsOf(value, options)]
    return [change.key(key), changed(value, change)]
  })
  return Object.fromEntries(entries)
}

/** Under which names a model's reasoning is kept; transformers fills in the two that templates read. */
const reasoningNames = ['reasoning_content', 'thinking', 'reasoning']

function withReasoning(message: Record<string, unknown>): Record<string, unknown> {
  const name = reasoningNames.find((key) => message[key] !== undefined && message[key] !== null)
  if (name === undefined) return message
  return { thinking: message[name], ...message, reasoning_content: message[name] }
}

/** How a conversation goes into one template. */
export interface MessageOptions {
  /** Whether the template knows a role by this name, such as developer. */
  readonly knowsRole: (role: string) => boolean
  /** Whether it only reads a content that is a list of parts. */
  readonly parts: boolean
  /** Whether a content is '' where the record has null. */
  readonly texts: boolean
  /** Whether arguments of calls that came as a text are objects only. */
  readonly objects: boolean
  readonly guard: Change
  /** Puts marks around the texts of every message, with its index. */
  readonly marks: boolean
}

function itemOf(message: Message, index: number, options: MessageOptions): Value {
  const { role, content, toolCalls, fields = {} } = message
  const { guard } = options
  const change: Changes = {
    text: options.marks ? (text) => marked(guard(text), index) : guard,
    key: guard,
  }
  const calls = { change, objects: options.objects }
  const { role: ownRole, content: ownContent, ...others } = fields
  const said: unknown = content === '' && ownContent === null && !options.texts ? null : change.text(content)
  const { function_call: called, ...rest } = others
  const item: Record<string, unknown> = {
    role: typeof ownRole === 'string' && options.knowsRole(ownRole) ? ownRole : role,
    content: options.parts && said !== null ? [{ type: 'text', text: said }] : said,
    ...Object.fromEntries(Object.entries(rest).map(([key, value]) => [guard(key), changed(value, change)])),
    ...(called !== undefined && { function_call: callOf(called, calls) }),
    ...(toolCalls && { tool_calls: toolCalls.map((call) => callOf(call, calls)) }),
  }
  return fromJson(withReasoning(item))
}

export const messageValues = (messages: readonly Message[], options: MessageOptions): Value =>
  messages.map((message, i) => itemOf(message, i, options))

function textsOf(value: unknown, texts: string[]): void {
  if (typeof value === 'string') texts.push(value)
  else if (Array.isArray(value)) for (const item of value) textsOf(item, texts)
  else if (typeof value === 'object' && value !== null)
    for (const [key, item] of Object.entries(value)) {
      texts.push(key)
      textsOf(item, texts)
    }
}

/** Every text of messages and of what is given beside them, for what must not occur in any. */
export function conversationTexts(messages: readonly Message[], beside: unknown): string[] {
  const texts: string[] = []
  for (const { content, toolCalls, fields } of messages) {
    texts.push(content)
    textsOf(toolCalls, texts)
    textsOf(fields, texts)
  }
  textsOf(beside, texts)
  return texts
}

/** A character that no text has; '' when none of them looks like a special token. */
export function guardFor(texts: readonly string[], specials: RegExp): string {
  if (!texts.some((text) => specials.test(text))) return ''
  const guard = guards.find((character) => !texts.some((text) => text.includes(character)))
  if (guard !== undefined) return guard
  throw new IftError(
    'IFT_TEMPLATE_FAILED',
    'The conversation contains every noncharacter from U+FDE8 to U+FDEF, and the text of a special token.',
    'Remove them.',
  )
}

/** Whether marks can be told from the texts. */
export const canMark = (texts: readonly string[]): boolean => !texts.some(hasMarks)

/** Tools and other JSON beside the messages. */
export const guardedJson = (json: unknown, guard: Change): Value =>
  json === undefined || json === null ? null : fromJson(changed(json, { text: guard, key: guard }))
