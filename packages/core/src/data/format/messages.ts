import { isRecord, type RawRecord } from '../read/record.js'
import type { Message, MessagesExample, Role } from '../../contract/data.js'
import { wrongField, type RecordFormat } from './format.js'
import { toolsOf } from './sharegpt.js'
import { learnedOf } from './weight.js'

const roles = new Map<string, Role>(
  Object.entries({
    system: 'system',
    developer: 'system',
    user: 'user',
    assistant: 'assistant',
    tool: 'tool',
    function: 'tool',
  } as const),
)

/** Content is a text or OpenAI's list of parts; only parts of type text are read. */
function contentOf(raw: RawRecord, field: string, content: unknown): string {
  if (typeof content === 'string') return content
  if (Array.isArray(content))
    return content
      .map((part: unknown, i) => {
        if (typeof part === 'string') return part
        if (isRecord(part) && typeof part['text'] === 'string') return part['text']
        throw wrongField(
          raw.where,
          `${field}[${i}]`,
          'a part of type text',
          part,
          'Images and sound cannot be trained on.',
        )
      })
      .join('')
  throw wrongField(raw.where, field, 'a text', content)
}

function message(raw: RawRecord, field: string, value: unknown): Message {
  if (!isRecord(value)) throw wrongField(raw.where, field, 'a message {role, content}', value)
  const name = value['role']
  const role = typeof name === 'string' ? roles.get(name) : undefined
  if (!role)
    throw wrongField(
      raw.where,
      `${field}.role`,
      `one of ${[...roles.keys()].join(', ')}`,
      name,
      typeof name === 'string' ? `Found "${name}".` : undefined,
    )
  const { role: _, content: given, tool_calls: toolCalls, weight, ...rest } = value
  const calls = Array.isArray(toolCalls) && toolCalls.length > 0 ? (toolCalls as unknown[]) : undefined
  // OpenAI writes null where an assistant only calls.
  const empty = calls !== undefined && (given === null || given === undefined)
  const fields = {
    ...rest,
    ...(empty && given === null && { content: null }),
    ...(name !== role && { role: name }),
  }
  return {
    role,
    content: empty ? '' : contentOf(raw, `${field}.content`, given),
    ...(calls && { toolCalls: calls }),
    ...(Object.keys(fields).length > 0 && { fields }),
    ...learnedOf(raw, `${field}.weight`, weight),
  }
}

/** OpenAI's {messages: [{role, content}], tools?}. */
export const messages: RecordFormat = {
  name: 'messages',
  fields: ['messages', 'tools'],
  matches: (record) => Array.isArray(record['messages']),
  convert(raw): MessagesExample {
    const list = raw.record['messages']
    if (!Array.isArray(list) || list.length === 0)
      throw wrongField(raw.where, 'messages', 'a list of messages that is not empty', list)
    const converted = list.map((value, i) => message(raw, `messages[${i}]`, value))
    const tools = toolsOf(raw)
    return tools === undefined ? { messages: converted } : { messages: converted, tools }
  },
}
