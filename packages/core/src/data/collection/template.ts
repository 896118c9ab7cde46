import { isRecord } from '../read/record.js'
import { isBlank, textOf, valueOf, type Field } from './field.js'
import { metaOf, type MetaFields } from './meta.js'
import { drop, type Read } from './read.js'

/** Texts in which `{name}` stands for a field. */
export interface TemplatePair {
  readonly instruction: string
  readonly input?: string
  readonly output: string
}

const mark = /\{(\w+)\}/g

/**
 * A record through one of several pairs of texts, which the seed chooses. `fields` says what the names in braces stand for; other
 * braces stay. A record in which a field of its pair is empty gives no example.
 */
export function template(
  pairs: readonly TemplatePair[],
  fields: Readonly<Record<string, Field>>,
  options: MetaFields = {},
): Read {
  const marked = (text: string) =>
    [...text.matchAll(mark)].map((match) => match[1]!).filter((name) => Object.hasOwn(fields, name))
  return (record, context) => {
    if (!isRecord(record)) return drop('no record')
    const pair = pairs[context.random('template').below(pairs.length)]
    if (!pair) return drop('no template')
    const texts = [pair.instruction, pair.input ?? '', pair.output] as const
    const values = new Map<string, string>()
    for (const name of new Set(texts.flatMap(marked))) {
      const text = textOf(valueOf(fields[name]!, record, context))
      if (text === null) return drop(`the ${name} is no text`)
      if (isBlank(text)) return drop(`no ${name}`)
      values.set(name, text)
    }
    const [instruction, input, output] = texts.map((text) =>
      text.replace(mark, (all, name: string) => values.get(name) ?? all),
    ) as [string, string, string]
    return { instruction, input, output, ...metaOf(options, record, context) }
  }
}
