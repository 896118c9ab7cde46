import {
  isInstruction,
  isMessages,
  recordConverter,
  toMessages,
  type Example,
  type TaskPrompt,
  type TaskRecord,
} from '@ift/core'

/** A record of the user with its expected answers. */
export interface Answerable {
  readonly prompt: TaskPrompt
  /** Any of them is right. */
  readonly references: readonly [string, ...string[]]
  readonly group: string | null
}

/** The tag of a record: what it says it is of. */
export function tagOf({ record }: TaskRecord, by: string): string | null {
  const value = record[by] ?? (record['meta'] as Readonly<Record<string, unknown>> | undefined)?.[by]
  return typeof value === 'string' || typeof value === 'number' ? String(value) : null
}

/** An example of a record in any form that `data` takes; the reason why there is none. */
export function exampleOf({ record, where }: TaskRecord): Example | string {
  try {
    return recordConverter({})({ record, where })
  } catch {
    return 'no example'
  }
}

/**
 * A question with its answers: records of any form that `data` takes, whose answer is the reference, and `{prompt, references}` with a text that is
 * continued and a list of right answers.
 */
export function answerable(record: TaskRecord, by: string): readonly Answerable[] | string {
  const group = tagOf(record, by)
  const { prompt, references } = record.record
  if (typeof prompt === 'string' && Array.isArray(references)) {
    const [first, ...rest] = references.filter((one) => typeof one === 'string')
    return first === undefined ? 'no references' : [{ prompt, references: [first, ...rest], group }]
  }
  const example = exampleOf(record)
  if (typeof example === 'string') return example
  if (isInstruction(example)) {
    const { output, ...asked } = example
    return output.trim() === '' ? 'no answer' : [{ prompt: asked, references: [output], group }]
  }
  if (!isMessages(example)) return 'no question'
  const messages = toMessages(example)
  const last = messages.at(-1)
  if (last?.role !== 'assistant' || last.content.trim() === '') return 'no answer'
  return [{ prompt: { ...example, messages: messages.slice(0, -1) }, references: [last.content], group }]
}
