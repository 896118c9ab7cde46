import { textOf, through, valueOf, type Field } from '@ift/core/collection'

/** A part of a turn without the label in front of it and the mark behind it. */
export const said = (name: string): Field =>
  through(name, (text) =>
    text
      .replace(/^\s*<\|[A-Za-z ]+\|>:/, '')
      .trim()
      .replace(/<eo[a-z]>$/, '')
      .trim(),
  )

/** Parts of a turn in which a tool was used and gave something, one below the other; "None" is nothing. */
export const used =
  (...names: readonly string[]): Field =>
  (turn, context) => {
    const part = (name: string) => {
      const text = textOf(valueOf(said(name), turn, context)) ?? ''
      return text === 'None' ? '' : text
    }
    if (part('Commands') === '' || part('Tool Responses') === '') return ''
    return names.map(part).filter(Boolean).join('\n')
  }
