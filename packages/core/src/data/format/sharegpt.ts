import { parseExactJson } from '../exact-json.js'
import { isRecord, kindOf, type RawRecord } from '../read/record.js'
import type { Message, MessagesExample, Role } from '../../contract/data.js'
import { optionalText, wrongField, type RecordFormat } from './format.js'
import { learnedOf } from './weight.js'

const roles = new Map<string, Role>(
  Object.entries({
    human: 'user',
    user: 'user',
    prompter: 'user',
    gpt: 'assistant',
    chatgpt: 'assistant',
    bing: 'assistant',
    bard: 'assistant',
    assistant: 'assistant',
    // A call of a function is text that the model writes.
    function_call: 'assistant',
    observation: 'tool',
    tool: 'tool',
    system: 'system',
  } as const),
)

function turn(raw: RawRecord, field: string, value: unknown): Message[] {
  if (!isRecord(value)) throw wrongField(raw.where, field, 'a turn {from, value}', value)
  // Firefly: one element a round.
  if (typeof value['human'] === 'string' && typeof value['assistant'] === 'string')
    return [
      { role: 'user', content: value['human'] },
      { role: 'assistant', content: value['assistant'] },
    ]
  const { from: given, value: text, role: alias, content: other, weight, ...fields } = value
  const from = given ?? alias
  const content = text ?? other
  if (typeof from !== 'string') throw wrongField(raw.where, `${field}.from`, 'the name of a role', from)
  const role = roles.get(from.toLowerCase())
  if (!role)
    throw wrongField(
      raw.where,
      `${field}.from`,
      `one of ${[...roles.keys()].join(', ')}`,
      `"${from}"`,
      `Found "${from}".`,
    )
  if (typeof content !== 'string') throw wrongField(raw.where, `${field}.value`, 'a text', content)
  return [
    {
      role,
      content,
      ...(Object.keys(fields).length > 0 && { fields }),
      ...learnedOf(raw, `${field}.weight`, weight),
    },
  ]
}

const parallel = (record: Readonly<Record<string, unknown>>) =>
  Array.isArray(record['input']) && Array.isArray(record['output'])

/**
 * {conversations: [{from, value}], system?, tools?}. Also read: `conversation` with one {human, assistant} a round
 * (firefly) and parallel lists {input: [...], output: [...]} (Chinese-Vicuna).
 */
export const sharegpt: RecordFormat = {
  name: 'sharegpt',
  fields: ['conversations', 'system', 'tools'],
  matches: (record) =>
    Array.isArray(record['conversations']) || Array.isArray(record['conversation']) || parallel(record),
  convert(raw): MessagesExample {
    const { record, where } = raw
    const messages: Message[] = []
    const system = optionalText(raw, 'system')
    if (system !== '') messages.push({ role: 'system', content: system })
    if (parallel(record)) {
      const inputs = record['input'] as unknown[]
      const outputs = record['output'] as unknown[]
      if (inputs.length !== outputs.length)
        throw wrongField(where, 'output', `${inputs.length} texts, one for each input,`, outputs)
      for (const [i, user] of inputs.entries()) {
        const assistant = outputs[i]
        if (typeof user !== 'string') throw wrongField(where, `input[${i}]`, 'a text', user)
        if (typeof assistant !== 'string') throw wrongField(where, `output[${i}]`, 'a text', assistant)
        messages.push({ role: 'user', content: user }, { role: 'assistant', content: assistant })
      }
      return { messages }
    }
    const field = record['conversations'] === undefined ? 'conversation' : 'conversations'
    const turns = record[field]
    if (!Array.isArray(turns) || turns.length === 0)
      throw wrongField(where, 'conversations', 'a list of turns that is not empty', turns)
    for (const [i, value] of turns.entries()) messages.push(...turn(raw, `${field}[${i}]`, value))
    const tools = toolsOf(raw)
    return tools === undefined ? { messages } : { messages, tools }
  },
}

/** Tools are a list, or the JSON text of one. */
export function toolsOf({ record, where }: RawRecord): unknown {
  const { tools } = record
  if (tools === undefined || tools === null || tools === '') return undefined
  if (typeof tools !== 'string') return tools
  try {
    const parsed = parseExactJson(tools)
    return Array.isArray(parsed) && parsed.length === 0 ? undefined : parsed
  } catch {
    throw wrongField(
      where,
      'tools',
      'a list of functions or its JSON text',
      tools,
      `Found ${kindOf(tools)} that is not JSON.`,
    )
  }
}
