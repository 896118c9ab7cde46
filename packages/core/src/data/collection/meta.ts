import { isBlank, textOf, valueOf, type Field } from './field.js'
import type { RecordContext } from './read.js'

export interface MetaFields {
  /** Fields that are kept beside the example, by their own names or under others, for counting and choosing; nothing of them reaches the model. */
  readonly meta?: readonly string[] | Readonly<Record<string, Field>>
}

/** The `meta` of an example: those of the fields that hold a text, by their names. */
export function metaOf(
  { meta = [] }: MetaFields,
  record: unknown,
  context: RecordContext,
): { readonly meta?: Readonly<Record<string, string>> } {
  const fields: readonly (readonly [string, Field])[] = Array.isArray(meta)
    ? (meta as readonly string[]).map((name) => [name, name])
    : Object.entries(meta as Readonly<Record<string, Field>>)
  const found = fields.flatMap(([name, field]) => {
    const text = textOf(valueOf(field, record, context))
    return text === null || isBlank(text) ? [] : [[name, text] as const]
  })
  return found.length > 0 ? { meta: Object.fromEntries(found) } : {}
}
