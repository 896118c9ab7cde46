import { isRecord } from '../read/record.js'

/** Fields of a form that columns are mapped to. */
export interface ColumnForm {
  readonly format: 'alpaca' | 'messages' | 'sharegpt' | 'text'
  readonly fields: readonly string[]
  /** Those without which no record is an example. */
  readonly needed: readonly string[]
}

/** The forms that a table of unknown columns can be read as. */
export const columnForms: readonly ColumnForm[] = [
  {
    format: 'alpaca',
    fields: ['instruction', 'input', 'output', 'system'],
    needed: ['instruction', 'output'],
  },
  { format: 'messages', fields: ['messages'], needed: ['messages'] },
  { format: 'sharegpt', fields: ['conversations'], needed: ['conversations'] },
  { format: 'text', fields: ['text'], needed: ['text'] },
]

/** Field names of a form mapped to columns, as `columns` of an entry of data. */
export interface ColumnMapping {
  readonly format: ColumnForm['format']
  readonly columns: Readonly<Record<string, string>>
}

/** What columns are called that hold a field, in lower case; the first that a table has wins, whole names before parts. */
const names: Readonly<Record<'output' | 'instruction' | 'input' | 'system', readonly string[]>> = {
  output: [
    ...['output', 'answer', 'response', 'completion', 'reply', 'target', 'solution', 'chosen', 'assistant'],
    ...['bot', 'gpt', 'summary', 'tgt', '回答', '答案', '回复', '输出'],
  ],
  instruction: [
    ...['instruction', 'question', 'query', 'prompt', 'ask', 'problem', 'request', 'user', 'human', 'source'],
    ...['src', 'title', 'input', '问题', '提问', '指令', '题目', '用户'],
  ],
  input: ['input', 'context', 'passage', 'document', 'background', 'evidence', '上下文', '材料', '输入'],
  system: ['system', '系统'],
}

type Records = readonly Readonly<Record<string, unknown>>[]

const isListOf = (value: unknown, ...keys: readonly string[]): boolean =>
  Array.isArray(value) &&
  value.length > 0 &&
  value.every((turn) => isRecord(turn) && keys.every((key) => key in turn))

/** Characters of the texts of a column. */
const lengthOf = (records: Records, column: string): number =>
  records.reduce((sum, { [column]: value }) => sum + (typeof value === 'string' ? value.length : 0), 0)

/**
 * What the columns of records may be: turns by their shape, texts by their names. Where no name tells, the two longest texts are question
 * and answer, in the order of the file; a single text is text.
 */
export function guessColumns(records: Records): ColumnMapping {
  const columns = [...new Set(records.flatMap((record) => Object.keys(record)))]
  const turns = (...keys: readonly string[]) =>
    columns.find((column) => records.some((record) => isListOf(record[column], ...keys)))
  const messages = turns('role', 'content')
  if (messages !== undefined) return { format: 'messages', columns: { messages } }
  const conversations = turns('from', 'value')
  if (conversations !== undefined) return { format: 'sharegpt', columns: { conversations } }
  const texts = columns.filter((column) => records.some((record) => typeof record[column] === 'string'))
  const found: Record<string, string> = {}
  const free = () => texts.filter((column) => !Object.values(found).includes(column))
  for (const [field, called] of Object.entries(names)) {
    const by = (test: (column: string, name: string) => boolean) =>
      called.flatMap((name) => free().find((column) => test(column.toLowerCase(), name)) ?? [])[0]
    const column =
      by((own, name) => own === name || own === `${name}s`) ?? by((own, name) => own.includes(name))
    if (column !== undefined) found[field] = column
  }
  const longest = free().sort((a, b) => lengthOf(records, b) - lengthOf(records, a))
  const lacks = ['instruction', 'output'].filter((field) => found[field] === undefined)
  if (longest.length < lacks.length && texts.length === 1)
    return { format: 'text', columns: { text: texts[0]! } }
  const taken = longest.slice(0, lacks.length).sort((a, b) => columns.indexOf(a) - columns.indexOf(b))
  lacks.forEach((field, i) => {
    if (taken[i] !== undefined) found[field] = taken[i]
  })
  const order = columnForms[0]!.fields.filter((field) => found[field] !== undefined)
  return { format: 'alpaca', columns: Object.fromEntries(order.map((field) => [field, found[field]!])) }
}
