import { numbered, textOf, valueOf, type Field } from '@ift/core/collection'

/** Fields that hold a text, one below the other; a mark stands in front of the last one. */
export const joined =
  (names: readonly string[], mark = ''): Field =>
  (record, context) =>
    names
      .map((name) => textOf(valueOf(name, record, context)) ?? '')
      .map((text, i) => (text.trim() === '' ? '' : i === names.length - 1 ? mark + text : text))
      .filter(Boolean)
      .join('\n')

/** The question and the answer of a round: JSON in a text, which may stand in a block of code. */
function parsed(text: string): unknown {
  try {
    const json = text.trim().replace(/^```(?:json)?|```$/g, '')
    const { Q: human, A: assistant } = JSON.parse(json) as Record<string, unknown>
    return { human, assistant }
  } catch {
    return null
  }
}

/** The rounds of a dialog, as `messages` reads them. */
export const rounds: Field = (record, context) => {
  const list = valueOf(numbered('round_'), record, context)
  return Array.isArray(list)
    ? list.map((one: unknown) => parsed(textOf(valueOf('response', one, context)) ?? ''))
    : undefined
}
