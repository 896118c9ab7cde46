import type { Example, MessagesExample, Role } from '../../contract/data.js'
import { isRecord, type RawRecord } from '../read/record.js'
import { alpaca } from './alpaca.js'
import { wrongField } from './format.js'
import { messages } from './messages.js'
import { sharegpt, toolsOf } from './sharegpt.js'
import { text } from './text.js'

/** Fields that an entry of LLaMA-Factory's dataset_info.json names columns for. */
export const layoutColumns = [
  ...(['prompt', 'query', 'response', 'history'] as const),
  ...(['messages', 'system', 'tools'] as const),
]

/** What an entry calls the roles of a conversation, with the role that each is. A call of a function is text that the model writes. */
export const layoutRoles = {
  user_tag: 'user',
  assistant_tag: 'assistant',
  observation_tag: 'tool',
  function_tag: 'assistant',
  system_tag: 'system',
} as const satisfies Record<string, Role>

/** Roles of OpenAI that no tag names. */
const openaiRoles = ['developer', 'function']

/** How records of an entry of dataset_info.json are laid out, with the defaults filled in. */
export interface RecordLayout {
  readonly formatting: 'alpaca' | 'sharegpt' | 'openai'
  readonly columns: Readonly<Partial<Record<(typeof layoutColumns)[number], string>>>
  /** Fields of a turn, and what it calls the roles. */
  readonly tags: Readonly<Record<'role_tag' | 'content_tag' | keyof typeof layoutRoles, string>>
}

/** The columns that every record has. */
const needed = ({ formatting, columns }: RecordLayout): readonly string[] =>
  formatting === 'alpaca'
    ? [columns.prompt, columns.response].filter((name) => name !== undefined)
    : [columns.messages ?? 'conversations']

export const fitsLayout = (record: Readonly<Record<string, unknown>>, layout: RecordLayout): boolean =>
  needed(layout).every((name) => name in record)

/** Makes examples of records as LLaMA-Factory reads them. Errors name the columns of the file. */
export function layoutConverter(layout: RecordLayout): (raw: RawRecord) => Example {
  const { formatting, columns } = layout
  return (raw) => {
    for (const name of needed(layout))
      if (!(name in raw.record))
        throw wrongField(
          raw.where,
          name,
          'a field that `columns` of dataset_info.json names',
          undefined,
          `Correct the names there; the fields of the record are ${Object.keys(raw.record).join(', ')}.`,
        )
    const value = (column: string | undefined) => (column === undefined ? undefined : raw.record[column])
    const put = (record: Record<string, unknown>): RawRecord => ({ record, where: raw.where })
    const rest = { system: value(columns.system), tools: value(columns.tools) }
    if (formatting === 'openai')
      return withSystem(
        messages.convert(put({ messages: turnsOf(raw, layout), tools: rest.tools })),
        rest.system,
      )
    if (formatting === 'sharegpt')
      return sharegpt.convert(put({ conversations: turnsOf(raw, layout), ...rest }))
    const prompt = value(columns.prompt)
    // A prompt without an answer is a text to go on training with.
    if (columns.response === undefined) return text.convert(put({ text: prompt }))
    const record = {
      instruction: prompt,
      input: value(columns.query),
      output: value(columns.response),
      system: rest.system,
      history: value(columns.history),
    }
    const example = alpaca.convert(put(record))
    const tools = toolsOf(put(rest))
    if (tools === undefined || !('instruction' in example)) return example
    const { instruction, input, output, system, history = [] } = example
    return {
      messages: [
        ...(system === undefined ? [] : [{ role: 'system' as const, content: system }]),
        ...history.flatMap(([user, assistant]) => [
          { role: 'user' as const, content: user },
          { role: 'assistant' as const, content: assistant },
        ]),
        { role: 'user', content: input === '' ? instruction : `${instruction}\n${input}` },
        { role: 'assistant', content: output },
      ],
      tools,
    }
  }
}

const withSystem = (example: Example, system: unknown): Example =>
  typeof system === 'string' &&
  system !== '' &&
  'messages' in example &&
  example.messages[0]?.role !== 'system'
    ? ({
        ...example,
        messages: [{ role: 'system', content: system }, ...example.messages],
      } satisfies MessagesExample)
    : example

/** Turns with the names of the form that they are read by, and roles that it knows. */
function turnsOf(raw: RawRecord, { formatting, columns, tags }: RecordLayout): unknown {
  const column = columns.messages ?? 'conversations'
  const turns = raw.record[column]
  if (!Array.isArray(turns)) throw wrongField(raw.where, column, 'a list of turns', turns)
  const { role_tag: roleField, content_tag: contentField, ...named } = tags
  const roles = new Map<string, string>(
    Object.entries(layoutRoles).map(([tag, role]) => [named[tag as keyof typeof layoutRoles], role]),
  )
  const isOpenai = formatting === 'openai'
  if (isOpenai) for (const role of openaiRoles) if (!roles.has(role)) roles.set(role, role)
  return turns.map((turn: unknown, i) => {
    if (!isRecord(turn))
      throw wrongField(raw.where, `${column}[${i}]`, `a turn {${roleField}, ${contentField}}`, turn)
    const { [roleField]: given, [contentField]: content, ...others } = turn
    const role = typeof given === 'string' ? roles.get(given) : undefined
    if (role === undefined)
      throw wrongField(
        raw.where,
        `${column}[${i}].${roleField}`,
        `one of ${[...roles.keys()].join(', ')}`,
        given,
        `${typeof given === 'string' ? `Found "${given}". ` : ''}The names stand in \`tags\` of dataset_info.json.`,
      )
    // Parts, and null beside calls, are read as messages have them.
    if (isOpenai) return { ...others, role, ...(contentField in turn && { content }) }
    if (typeof content !== 'string')
      throw wrongField(raw.where, `${column}[${i}].${contentField}`, 'a text', content)
    return { ...others, from: role, value: content }
  })
}
