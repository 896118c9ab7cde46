import { isBlank, textOf, valueOf } from './field.js'
import type { RecordContext } from './read.js'

export interface MetaFields {
  /** Fields that are kept beside the example, for counting and choosing; nothing of them reaches the model. */
  readonly meta?: readonly string[]
}

/** The `meta` of an example: those of the fields that hold a text, by their names. */
export function metaOf(
  { meta = [] }: MetaFields,
  record: unknown,
  context: RecordContext,
): { readonly meta?: Readonly<Record<string, string>> } {
  const found = meta.flatMap((name) => {
    const text = textOf(valueOf(name, record, context))
    return text === null || isBlank(text) ? [] : [[name, text] as const]
  })
  return found.length > 0 ? { meta: Object.fromEntries(found) } : {}
}
