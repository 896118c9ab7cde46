import { textOf, valueOf, type Field } from '@ift/core/collection'

/** System message, history and question of a record as one text; nothing where they are no dialog. */
export const dialog: Field = (record, context) => {
  const text = (name: string) => textOf(valueOf(name, record, context)) ?? ''
  const [history, input] = [text('instruction'), text('input')]
  const found = /^(?:System[:：](.*)\n)?User[:：]/.exec(input)
  if (!found || (history !== '' && !/^\s*User[:：]/.test(history))) return undefined
  return `${found[1] ?? ''}\n${history}\nUser:${input.slice(found[0].length)}\nAssistant:`
}
